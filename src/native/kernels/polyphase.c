#include "kernels/polyphase.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/polyphase_kernels.h"
#include "kernels/polyphase_panels.h"
#include "kernels/polyphase_plan.h"

/* Longer inputs are taken in pieces of so many samples: buffer and panels then stay in the nearest caches. */
enum { PIECE_SAMPLES = 4096, MIN_PIECE_FRAMES = 256 };
/* Counters are moved back by whole periods from here on: the products with a rate then stay far from 2**63. */
static const int64_t REBASE_FRAMES = (int64_t)1 << 38;

struct sv_polyphase {
    sv_plan plan;
    uint32_t channels;
    int64_t seen, emitted;   /* input frames taken, output frames given */
    int64_t first;           /* which input frame the buffer begins with */
    int64_t piece, capacity; /* frames */
    char *buffer;            /* float, or double if the plan is wide; one plane for each channel if it is interpolated */
    float *scratch;          /* a piece of input and of output, for int16 */
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static size_t item_size(const sv_polyphase *stream) { return stream->plan.wide ? sizeof(double) : sizeof(float); }

static int64_t piece_outputs(const sv_polyphase *stream) {
    return stream->piece * stream->plan.up / stream->plan.down + 2;
}

int sv_polyphase_tiers(void) { return (int)(sizeof(sv_prototypes) / sizeof(sv_prototypes[0])); }

const char *sv_polyphase_tier_name(int tier) { return sv_prototypes[tier].name; }

sv_polyphase *sv_polyphase_new(int tier, uint32_t in_samplerate, uint32_t out_samplerate, uint32_t channels) {
    sv_polyphase *stream = (sv_polyphase *)calloc(1, sizeof(sv_polyphase));
    if (stream == NULL) return NULL;
    stream->channels = channels;
    if (sv_plan_make(&stream->plan, &sv_prototypes[tier], in_samplerate, out_samplerate)) {
        sv_polyphase_free(stream);
        return NULL;
    }
    stream->piece = PIECE_SAMPLES / channels > MIN_PIECE_FRAMES ? PIECE_SAMPLES / channels : MIN_PIECE_FRAMES;
    stream->capacity = stream->plan.before + stream->piece + stream->plan.after + SV_LANES;
    stream->buffer = (char *)sv_new_aligned((size_t)stream->capacity * channels * item_size(stream));
    stream->scratch = (float *)sv_new_aligned((size_t)(stream->piece + piece_outputs(stream)) * channels * sizeof(float));
    if (stream->buffer == NULL || stream->scratch == NULL) {
        sv_polyphase_free(stream);
        return NULL;
    }
    sv_polyphase_reset(stream);
    return stream;
}

void sv_polyphase_free(sv_polyphase *stream) {
    if (stream == NULL) return;
    sv_plan_free(&stream->plan);
    sv_free_aligned(stream->buffer);
    sv_free_aligned(stream->scratch);
    free(stream);
}

void sv_polyphase_reset(sv_polyphase *stream) {
    stream->seen = stream->emitted = 0;
    stream->first = -stream->plan.before;
    memset(stream->buffer, 0, (size_t)stream->capacity * stream->channels * item_size(stream));
}

/* Output frames that n input frames allow: those whose last input is among them. */
static int64_t available(const sv_plan *plan, int64_t n) {
    const int64_t scaled = 2 * (int64_t)plan->up * n - plan->ahead;
    return scaled < 0 ? 0 : scaled / (2 * (int64_t)plan->down);
}

static int64_t total(const sv_plan *plan, int64_t n) {
    const int64_t up = plan->up, down = plan->down;
    return (2 * up * n + down) / (2 * down);
}

int64_t sv_polyphase_out_frames(const sv_polyphase *stream, int64_t in_frames) {
    return available(&stream->plan, stream->seen + in_frames) - stream->emitted;
}

int64_t sv_polyphase_flush_frames(const sv_polyphase *stream) {
    return total(&stream->plan, stream->seen) - stream->emitted;
}

double sv_polyphase_latency_frames(const sv_polyphase *stream) {
    const int64_t down = stream->plan.down, ahead = stream->plan.ahead;
    return (double)(2 * down - 2 + (ahead & 1) + ahead) / (2.0 * (double)down);
}

int sv_polyphase_is_fixed(const sv_polyphase *stream) { return stream->plan.panels > 0; }

int64_t sv_polyphase_table_bytes(const sv_polyphase *stream) { return (int64_t)stream->plan.bytes; }

void sv_polyphase_advance(sv_polyphase *stream, int64_t periods) {
    stream->seen += periods * stream->plan.ins;
    stream->first += periods * stream->plan.ins;
    stream->emitted += periods * stream->plan.outs;
}

/* Interpolated ----------------------------------------------------------------------------------------------------- */

static void emit_blended(const sv_polyphase *stream, int64_t count, float *out) {
    const sv_plan *plan = &stream->plan;
    const sv_polyphase_kernels *kernels = sv_polyphase_active();
    const int64_t up = plan->up, down = plan->down, unit = 2 * up;
    const int64_t start = (2 * stream->emitted + 1) * down - up - plan->reach;
    int64_t index = start / unit - (start % unit < 0), phase = start - index * unit;
    const size_t item = item_size(stream), row_bytes = plan->bytes / plan->rows;
    const double scale = 1.0 / (double)unit;
    for (int64_t i = 0; i < count; i++) {
        const int64_t scaled = phase * plan->rows, row = scaled / unit;
        const char *x = stream->buffer + (size_t)(index + 1 - stream->first) * item;
        (plan->wide ? kernels->blend_wide : kernels->blend)(
            (const char *)plan->table + (size_t)row * row_bytes, plan->blocks, (double)(scaled - row * unit) * scale, x,
            (ptrdiff_t)stream->capacity, (int)stream->channels, out + i * stream->channels);
        index += 2 * down / unit;
        phase += 2 * down % unit;
        if (phase >= unit) {
            phase -= unit;
            index += 1;
        }
    }
}

/* Stream ----------------------------------------------------------------------------------------------------------- */

static void make_room(sv_polyphase *stream, int64_t frames) {
    const int64_t held = stream->seen - stream->first, keep = stream->plan.before;
    if (held + frames + stream->plan.after + SV_LANES <= stream->capacity) return;
    const size_t item = item_size(stream), frame = stream->plan.panels ? item * stream->channels : item;
    const uint32_t planes = stream->plan.panels ? 1 : stream->channels;
    for (uint32_t p = 0; p < planes; p++) {
        char *plane = stream->buffer + (size_t)p * (size_t)stream->capacity * item;
        memmove(plane, plane + (size_t)(held - keep) * frame, (size_t)keep * frame);
    }
    stream->first = stream->seen - keep;
}

/* Appends frames of interleaved samples; silence if x is NULL. */
static void append(sv_polyphase *stream, const float *x, int64_t frames) {
    const sv_polyphase_kernels *kernels = sv_polyphase_active();
    const size_t channels = stream->channels, item = item_size(stream), samples = (size_t)frames * channels;
    const size_t at = (size_t)(stream->seen - stream->first);
    if (stream->plan.panels || channels == 1) {
        char *to = stream->buffer + at * channels * item;
        if (x == NULL) {
            memset(to, 0, samples * item);
        } else {
            (stream->plan.wide ? kernels->take_wide : kernels->take)(x, to, samples);
        }
        stream->seen += frames;
        return;
    }
    for (size_t c = 0; c < channels; c++) {
        char *to = stream->buffer + (c * (size_t)stream->capacity + at) * item;
        for (int64_t i = 0; i < frames; i++, to += item) {
            const float value = x == NULL ? 0.0f : x[(size_t)i * channels + c];
            (stream->plan.wide ? kernels->take_wide : kernels->take)(&value, to, 1);
        }
    }
    stream->seen += frames;
}

static void rebase(sv_polyphase *stream) {
    if (stream->seen < REBASE_FRAMES && stream->emitted < REBASE_FRAMES) return;
    const int64_t in = stream->seen / stream->plan.ins, out = stream->emitted / stream->plan.outs;
    sv_polyphase_advance(stream, -least(in, out));
}

/* Takes a piece and gives at most `most` frames. */
static int64_t step(sv_polyphase *stream, const float *x, int64_t frames, float *out, int64_t most) {
    make_room(stream, frames);
    append(stream, x, frames);
    const int64_t count = least(available(&stream->plan, stream->seen) - stream->emitted, most);
    if (count > 0) {
        if (stream->plan.panels) {
            const sv_panels_input input = {stream->buffer, stream->first, stream->channels};
            sv_panels_give(&stream->plan, &input, stream->emitted, count, out);
        } else {
            emit_blended(stream, count, out);
        }
        stream->emitted += count;
    }
    return count;
}

int64_t sv_polyphase_process(sv_polyphase *stream, const float *x, int64_t in_frames, float *out) {
    int64_t given = 0;
    rebase(stream);
    for (int64_t taken = 0; taken < in_frames;) {
        const int64_t frames = least(in_frames - taken, stream->piece);
        given += step(stream, x + taken * stream->channels, frames, out + given * stream->channels, INT64_MAX);
        taken += frames;
    }
    return given;
}

int64_t sv_polyphase_process_int16(sv_polyphase *stream, const int16_t *x, int64_t in_frames, int16_t *out) {
    float *in = stream->scratch, *ready = in + stream->piece * stream->channels;
    int64_t given = 0;
    rebase(stream);
    for (int64_t taken = 0; taken < in_frames;) {
        const int64_t frames = least(in_frames - taken, stream->piece);
        sv_kernels_active->int16_to_float32(x + taken * stream->channels, in, (size_t)(frames * stream->channels));
        const int64_t count = step(stream, in, frames, ready, INT64_MAX);
        sv_kernels_active->float32_to_int16(ready, out + given * stream->channels, (size_t)(count * stream->channels));
        given += count;
        taken += frames;
    }
    return given;
}

int64_t sv_polyphase_flush(sv_polyphase *stream, float *out) {
    const int64_t wanted = sv_polyphase_flush_frames(stream);
    for (int64_t given = 0; given < wanted;)
        given += step(stream, NULL, stream->piece, out + given * stream->channels, wanted - given);
    sv_polyphase_reset(stream);
    return wanted;
}

int64_t sv_polyphase_flush_int16(sv_polyphase *stream, int16_t *out) {
    const int64_t wanted = sv_polyphase_flush_frames(stream);
    for (int64_t given = 0; given < wanted;) {
        const int64_t count = step(stream, NULL, stream->piece, stream->scratch, wanted - given);
        sv_kernels_active->float32_to_int16(stream->scratch, out + given * stream->channels,
                                            (size_t)(count * stream->channels));
        given += count;
    }
    sv_polyphase_reset(stream);
    return wanted;
}
