#include "kernels/polyphase_variable.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/polyphase_kernels.h"
#include "kernels/polyphase_plan.h"

enum { FRACTION_BITS = 48, PIECE_FRAMES = 1024 };
static const int64_t ONE = (int64_t)1 << FRACTION_BITS;
/* Counters are moved back from here on; only their differences matter. */
static const int64_t REBASE_FRAMES = (int64_t)1 << 40;

/* Where the window of the next output begins, and how it goes on. */
typedef struct {
    int64_t index, fraction;      /* fraction below ONE; the first tap is at index + 1 */
    int64_t step;                 /* of 2**-48 input frames */
    int64_t change, slew, target; /* step changes so much in each of the next `slew` outputs, then is `target` */
} cursor;

struct sv_variable {
    sv_plan plan;
    uint32_t channels;
    int64_t taps;
    int64_t seen, first; /* input frames taken; which of them the buffer begins with */
    int64_t capacity;    /* frames of a plane */
    char *buffer;        /* a plane for each channel */
    cursor at;
};

static void advance(cursor *at) {
    at->fraction += at->step;
    at->index += at->fraction >> FRACTION_BITS;
    at->fraction &= ONE - 1;
    if (at->slew > 0) at->step = --at->slew ? at->step + at->change : at->target;
}

sv_variable *sv_variable_new(int tier, uint32_t in_samplerate, uint32_t out_samplerate, uint32_t channels) {
    sv_variable *stream = (sv_variable *)calloc(1, sizeof(sv_variable));
    if (stream == NULL) return NULL;
    stream->channels = channels;
    if (sv_plan_make_blended(&stream->plan, &sv_prototypes[tier], in_samplerate, out_samplerate)) {
        sv_variable_free(stream);
        return NULL;
    }
    stream->taps = (int64_t)stream->plan.blocks * SV_LANES;
    stream->capacity = 2 * stream->taps + PIECE_FRAMES;
    const size_t item = stream->plan.wide ? sizeof(double) : sizeof(float);
    stream->buffer = (char *)sv_new_aligned((size_t)stream->capacity * channels * item);
    if (stream->buffer == NULL) {
        sv_variable_free(stream);
        return NULL;
    }
    stream->at.target = (int64_t)llround((double)in_samplerate / out_samplerate * (double)ONE);
    sv_variable_reset(stream);
    return stream;
}

void sv_variable_free(sv_variable *stream) {
    if (stream == NULL) return;
    sv_plan_free(&stream->plan);
    sv_free_aligned(stream->buffer);
    free(stream);
}

void sv_variable_reset(sv_variable *stream) {
    const sv_plan *plan = &stream->plan;
    const double start = ((double)plan->down - plan->up - (double)plan->reach) / (2.0 * plan->up);
    const size_t item = plan->wide ? sizeof(double) : sizeof(float);
    cursor *at = &stream->at;
    at->step = at->target;
    at->slew = 0;
    at->index = (int64_t)floor(start);
    at->fraction = (int64_t)((start - floor(start)) * (double)ONE);
    stream->seen = 0;
    stream->first = -stream->taps;
    memset(stream->buffer, 0, (size_t)stream->capacity * stream->channels * item);
}

void sv_variable_set_step(sv_variable *stream, double step, int64_t slew_frames) {
    cursor *at = &stream->at;
    at->target = (int64_t)llround(step * (double)ONE);
    at->slew = slew_frames;
    at->change = slew_frames > 0 ? (at->target - at->step) / slew_frames : 0;
    if (slew_frames == 0) at->step = at->target;
}

double sv_variable_step(const sv_variable *stream) { return (double)stream->at.step / (double)ONE; }

double sv_variable_latency(const sv_variable *stream) {
    return (double)stream->plan.reach / (2.0 * stream->plan.up) + 1.0;
}

/* The last tap that is read, from the window's beginning. */
static int64_t span_of(const sv_variable *stream) { return stream->plan.reach / stream->plan.up; }

static int64_t count_until(const sv_variable *stream, int64_t limit) {
    cursor at = stream->at;
    int64_t count = 0;
    for (; at.index < limit; count++) advance(&at);
    return count;
}

int64_t sv_variable_out_frames(const sv_variable *stream, int64_t in_frames) {
    return count_until(stream, stream->seen + in_frames - span_of(stream));
}

int64_t sv_variable_flush_frames(const sv_variable *stream) {
    /* the middle of the window, and half a frame more, is below `seen` */
    const int64_t twice = span_of(stream) + 1, half = twice % 2 ? ONE / 2 : 0;
    cursor at = stream->at;
    int64_t count = 0;
    for (; at.index + twice / 2 + (at.fraction + half >= ONE) < stream->seen; count++) advance(&at);
    return count;
}

static void append(sv_variable *stream, const float *x, int64_t frames) {
    const sv_polyphase_kernels *kernels = sv_polyphase_active();
    const size_t item = stream->plan.wide ? sizeof(double) : sizeof(float);
    const int64_t held = stream->seen - stream->first;
    const int move = held + frames > stream->capacity - stream->taps;
    for (uint32_t c = 0; c < stream->channels; c++) {
        char *plane = stream->buffer + (size_t)c * (size_t)stream->capacity * item;
        if (move) memmove(plane, plane + (size_t)(held - stream->taps) * item, (size_t)stream->taps * item);
        char *to = plane + (size_t)(move ? stream->taps : held) * item;
        if (x == NULL) {
            memset(to, 0, (size_t)frames * item);
        } else if (stream->channels == 1) {
            (stream->plan.wide ? kernels->take_wide : kernels->take)(x, to, (size_t)frames);
        } else {
            for (int64_t i = 0; i < frames; i++, to += item)
                (stream->plan.wide ? kernels->take_wide : kernels->take)(x + i * stream->channels + c, to, 1);
        }
    }
    if (move) stream->first = stream->seen - stream->taps;
    stream->seen += frames;
}

/* Gives what the input so far allows, at most `most` frames. */
static int64_t emit(sv_variable *stream, float *out, int64_t most) {
    const sv_polyphase_kernels *kernels = sv_polyphase_active();
    const sv_plan *plan = &stream->plan;
    const size_t item = plan->wide ? sizeof(double) : sizeof(float), row_bytes = plan->bytes / plan->rows;
    const int64_t limit = stream->seen - span_of(stream);
    cursor *at = &stream->at;
    int64_t given = 0;
    for (; at->index < limit && given < most; given++) {
        const int64_t scaled = at->fraction * plan->rows, row = scaled >> FRACTION_BITS;
        const char *x = stream->buffer + (size_t)(at->index + 1 - stream->first) * item;
        (plan->wide ? kernels->blend_wide : kernels->blend)(
            (const char *)plan->table + (size_t)row * row_bytes, plan->blocks,
            (double)(scaled & (ONE - 1)) / (double)ONE, x, (ptrdiff_t)stream->capacity, (int)stream->channels,
            out + given * stream->channels);
        advance(at);
    }
    return given;
}

static void rebase(sv_variable *stream) {
    if (stream->seen < REBASE_FRAMES) return;
    const int64_t back = stream->first;
    stream->seen -= back;
    stream->at.index -= back;
    stream->first = 0;
}

int64_t sv_variable_process(sv_variable *stream, const float *x, int64_t in_frames, float *out) {
    int64_t given = 0;
    rebase(stream);
    for (int64_t taken = 0; taken < in_frames;) {
        const int64_t frames = in_frames - taken < PIECE_FRAMES ? in_frames - taken : PIECE_FRAMES;
        append(stream, x + taken * stream->channels, frames);
        given += emit(stream, out + given * stream->channels, INT64_MAX);
        taken += frames;
    }
    return given;
}

int64_t sv_variable_flush(sv_variable *stream, float *out) {
    const int64_t wanted = sv_variable_flush_frames(stream);
    for (int64_t given = 0; given < wanted;) {
        append(stream, NULL, PIECE_FRAMES);
        given += emit(stream, out + given * stream->channels, wanted - given);
    }
    sv_variable_reset(stream);
    return wanted;
}
