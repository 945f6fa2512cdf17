#include "kernels/polyphase_panels.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/polyphase_kernels.h"

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t largest(int64_t a, int64_t b) { return a > b ? a : b; }

/* The piece of output that is being made: frames from .. to of the stream, counted with the lead of the grid. */
typedef struct {
    const sv_plan *plan;
    const sv_polyphase_kernels *kernels;
    const char *buffer;
    int64_t first; /* which input frame the buffer begins with */
    uint32_t channels;
    float *out;
    int64_t from, to;
    int64_t from_period, from_rest, last_period, last_rest;
} span;

static size_t item_size(const span *span) { return span->plan->wide ? sizeof(double) : sizeof(float); }

/* Some occurrences of a group: periods first, first + every ... */
typedef struct {
    const sv_group *group;
    int64_t first, count, every;
} run;

static run run_of(const span *span, const sv_group *group) {
    run run;
    run.group = group;
    run.every = 1;
    run.first = span->from_period + (group->start + group->high < span->from_rest);
    run.count = span->last_period - (group->start + group->low > span->last_rest) - run.first + 1;
    return run;
}

/* One column of lanes goes to its place, cut to the lanes and frames that are wanted. */
static void place_part(const span *span, const run *run, int64_t start, const float *lanes, uint32_t channel,
                       int width) {
    SV_ALIGNED float frames[2 * SV_LANES];
    const uint32_t channels = span->channels;
    const int64_t low = largest(run->group->low, -start);
    const int64_t end = least(run->group->high + 1, span->to - span->from - start);
    float *out = span->out + (start + low) * channels + channel;
    span->kernels->place[width - 1][run->group->mirrored](lanes, frames, 0, 1);
    if ((uint32_t)width == channels) {
        memcpy(out, frames + low * width, (size_t)(end - low) * width * sizeof(float));
        return;
    }
    for (int64_t j = low; j < end; j++, out += channels)
        for (int c = 0; c < width; c++) out[c] = frames[j * width + c];
}

/* `count` columns of a run, `width` channels each; all but the first and the last of a span are whole. */
SV_INLINE void place(const span *span, const run *run, int64_t count, const float *lanes, uint32_t channel,
                     int width) {
    const int64_t outs = run->every * span->plan->outs, end = span->to - span->from;
    const int64_t start = run->first * span->plan->outs + run->group->start - span->from;
    int64_t first = 0, last = count;
    if ((uint32_t)width != span->channels || run->group->low) {
        first = count;
    } else {
        first = start < 0;
        last = count - (start + (count - 1) * outs + SV_LANES > end);
    }
    if (last > first)
        span->kernels->place[width - 1][run->group->mirrored](
            lanes + first * width * SV_LANES, span->out + (start + first * outs) * width, (ptrdiff_t)outs * width,
            (int)(last - first));
    for (int64_t k = 0; k < first; k++)
        place_part(span, run, start + k * outs, lanes + k * width * SV_LANES, channel, width);
    for (int64_t k = largest(first, last); k < count; k++)
        place_part(span, run, start + k * outs, lanes + k * width * SV_LANES, channel, width);
}

/* Where the first row's input is of the first occurrence, in frames of the stream. */
static int64_t input_of(const span *span, const run *run) {
    return run->first * span->plan->ins + run->group->input;
}

static const char *samples_of(const span *span, const run *run, uint32_t channel) {
    const int64_t frame = input_of(span, run) - span->first;
    return span->buffer + (size_t)(frame * span->channels + channel) * item_size(span);
}

static const char *panel_of(const span *span, const run *run) {
    const sv_plan *plan = span->plan;
    const uint32_t g = (uint32_t)(run->group - plan->group), panel = g < plan->panels ? g : plan->groups - 1 - g;
    return (const char *)plan->table + (size_t)panel * plan->half * 2 * SV_LANES * item_size(span);
}

/* The next columns of a run leave it, for their places unless the tile has put them there. */
SV_INLINE const float *pass(const span *span, run *run, int64_t count, const float *lanes, uint32_t channel,
                            int width, int is_placed) {
    if (!is_placed) place(span, run, count, lanes, channel, width);
    run->first += count * run->every;
    run->count -= count;
    return lanes + count * width * SV_LANES;
}

static sv_place place_of(const span *span, const run *run) {
    const int64_t start = run->first * span->plan->outs + run->group->start - span->from;
    const sv_place place = {start, run->group->low, run->group->mirrored};
    return place;
}

/* True if tiles put their columns where they belong, cut to what is wanted. */
static int places_columns(const span *span) {
    return span->kernels->stores_parts && span->channels == 1 && !span->plan->wide;
}

/* The runs that a tile takes columns from: `b` and `b2` of the group mirrored to that of `a` and `a2`, or none; `a2`
 * and `b2` of the tile's mate, or none. */
typedef struct {
    run *a, *b, *a2, *b2;
} sources;

/* One tile, or a pair of them, of the next `ahead` columns of `a` and the next `back` ones of `b`. */
SV_INLINE void make_tile(const span *span, const sources *from, int64_t ahead, int64_t back, uint32_t channel, int width) {
    SV_ALIGNED float lanes[SV_MAX_COLUMNS * SV_LANES];
    const sv_plan *plan = span->plan;
    const ptrdiff_t channels = (ptrdiff_t)span->channels;
    const float *next = lanes;
    sv_tile tile;
    tile.panel = panel_of(span, from->a);
    tile.half = plan->half;
    tile.edge = plan->edge;
    tile.ahead = samples_of(span, from->a, channel);
    tile.back = back ? samples_of(span, from->b, channel) : NULL;
    tile.step = from->a->group->mirrored ? -channels : channels;
    tile.column = (ptrdiff_t)(from->a->every * plan->ins) * channels;
    tile.ahead_count = (int)ahead;
    tile.back_count = (int)back;
    tile.width = width;
    const int places = places_columns(span);
    tile.out = places ? span->out : NULL;
    tile.end = span->to - span->from;
    tile.stride = from->a->every * plan->outs;
    tile.place[0] = place_of(span, from->a);
    if (back) tile.place[1] = place_of(span, from->b);
    if (from->a2 != NULL) {
        tile.second = panel_of(span, from->a2);
        tile.lag = (size_t)llabs(input_of(span, from->a2) - input_of(span, from->a));
        tile.place[2] = place_of(span, from->a2);
        if (back) tile.place[3] = place_of(span, from->b2);
        span->kernels->pair(&tile, lanes);
    } else {
        (plan->wide ? span->kernels->tile_wide : span->kernels->tile)(&tile, lanes);
    }
    next = pass(span, from->a, ahead, next, channel, width, places);
    if (back) next = pass(span, from->b, back, next, channel, width, places);
    if (from->a2 == NULL) return;
    next = pass(span, from->a2, ahead, next, channel, width, places);
    if (back) pass(span, from->b2, back, next, channel, width, places);
}

/* Parts of at most `most`; most often one, and divisions are what takes time here. */
static int64_t parts_of(int64_t count, int64_t most) { return count <= most ? 1 : (count + most - 1) / most; }

/* The first of so many parts as equal as can be. */
static int64_t part_of(int64_t count, int64_t parts) { return parts == 1 ? count : (count + parts - 1) / parts; }

/* Every other column of a run in one tile, those between in its mate: inputs a period apart are shared. */
static void make_halves(const span *span, run *a, int64_t count, uint32_t channel, int width) {
    run even = *a, odd = *a;
    const sources from = {&even, NULL, &odd, NULL};
    even.every = odd.every = 2;
    odd.first += 1;
    make_tile(span, &from, count / 2, 0, channel, width);
    a->first += count;
    a->count -= count;
}

/* All of a run in as few tiles as hold it, of sizes as equal as can be. */
static void make_tiles(const span *span, run *a, int64_t most, uint32_t channel, int width) {
    const sources from = {a, NULL, NULL, NULL};
    const int in_pairs = span->kernels->pair != NULL && !span->plan->wide
                         && span->plan->ins <= span->plan->half;
    for (int64_t tiles = parts_of(a->count, most); tiles > 0; tiles--) {
        const int64_t part = part_of(a->count, tiles);
        if (in_pairs && part % 2 == 0) {
            make_halves(span, a, part, channel, width);
        } else {
            make_tile(span, &from, part, 0, channel, width);
        }
    }
}

/* Runs of one panel share its tiles, as do those of a pair of panels, which are of the same periods; what cannot be shared
 * stays in the runs. */
SV_INLINE void make_shared_tiles(const span *span, const sources *from, int64_t most, uint32_t channel, int width) {
    int64_t a = from->a->count, b = from->b->count;
    if (most < 2 || a <= 0 || b <= 0) return;
    for (int64_t tiles = parts_of(a + b, most); tiles > 0 && a > 0 && b > 0; tiles--) {
        const int64_t part = part_of(a + b, tiles);
        const int64_t ahead = least(a, a > b ? (part + 1) / 2 : part / 2);
        const int64_t back = least(least(b, part - ahead), ahead + 1);
        if (back == 0 || ahead > back + 1) return;
        make_tile(span, from, ahead, back, channel, width);
        a -= ahead;
        b -= back;
    }
}

static int are_of_same_periods(const run *a, const run *b) { return a->first == b->first && a->count == b->count; }

/* Both of two neighbouring groups and those that mirror them, of few columns, in one pair of tiles, or 0 if it cannot be.
 * Where the span begins or ends in one of the two, the other's column beyond it is made, too, and not stored. */
static int make_placed_pair(const span *span, uint32_t g, int64_t most) {
    const sv_plan *plan = span->plan;
    const sv_group *a = &plan->group[g], *b = &plan->group[plan->groups - 2 - g];
    const int64_t first = span->from_period + (a[1].start + a[1].high < span->from_rest);
    const int64_t back_first = span->from_period + (b[1].start + b[1].high < span->from_rest);
    const int64_t count = span->last_period - (a->start + a->low > span->last_rest) - first + 1;
    const int64_t back_count = span->last_period - (b->start + b->low > span->last_rest) - back_first + 1;
    if (count <= 0 || back_count <= 0 || count + back_count > most || llabs(count - back_count) > 1) return 0;
    const size_t rows = plan->half * 2;
    const float *buffer = (const float *)span->buffer;
    const int64_t start = first * plan->outs - span->from, back_start = back_first * plan->outs - span->from;
    const sv_tile tile = { /* every field: zeroing the others takes 45 ns */
        .panel = (const float *)plan->table + g * rows * SV_LANES,
        .second = (const float *)plan->table + (g + 1) * rows * SV_LANES,
        .half = plan->half,
        .edge = plan->edge,
        .lag = (size_t)(a[1].input - a[0].input),
        .ahead = buffer + (first * plan->ins + a[0].input - span->first),
        .back = buffer + (back_first * plan->ins + b[1].input - span->first),
        .step = 1,
        .column = plan->ins,
        .ahead_count = (int)count,
        .back_count = (int)back_count,
        .width = 1,
        .out = span->out,
        .end = span->to - span->from,
        .stride = plan->outs,
        .place = {{start + a[0].start, a[0].low, 0},
                  {back_start + b[1].start, b[1].low, 1},
                  {start + a[1].start, a[1].low, 0},
                  {back_start + b[0].start, b[0].low, 1}},
    };
    span->kernels->pair(&tile, NULL);
    return 1;
}

static void make_groups(const span *span, uint32_t channel, int width) {
    const sv_plan *plan = span->plan;
    const int64_t most = (plan->wide ? span->kernels->columns_wide : span->kernels->columns) / width;
    const uint32_t mirrored = plan->groups - plan->panels; /* so many panels serve twice */
    const int in_pairs = span->kernels->pair != NULL && !plan->wide, places = places_columns(span);
    uint32_t g = 0;
    while (g < mirrored) {
        const uint32_t panels = in_pairs && g + 1 < mirrored ? 2 : 1, mate = plan->groups - 1 - g;
        run a[2], b[2];
        if (places && panels == 2 && make_placed_pair(span, g, most / 2)) {
            g += 2;
            continue;
        }
        for (uint32_t i = 0; i < panels; i++) {
            a[i] = run_of(span, &plan->group[g + i]);
            b[i] = run_of(span, &plan->group[mate - i]);
        }
        /* Not where the span begins or ends in one of them: a column left over would take as long as three. And not many
         * columns: those share the load of a panel as well as pairs share the inputs. */
        if (panels == 2 && a[0].count + b[0].count <= most / 2 && are_of_same_periods(&a[0], &a[1])
            && are_of_same_periods(&b[0], &b[1])) {
            const sources both = {&a[0], &b[0], &a[1], &b[1]};
            make_shared_tiles(span, &both, most / 2, channel, width);
        }
        for (uint32_t i = 0; i < panels; i++) {
            const sources one = {&a[i], &b[i], NULL, NULL};
            make_shared_tiles(span, &one, most, channel, width);
            if (a[i].count > 0) make_tiles(span, &a[i], most, channel, width);
            if (b[i].count > 0) make_tiles(span, &b[i], most, channel, width);
        }
        g += panels;
    }
    for (; g < plan->panels; g++) {
        run a = run_of(span, &plan->group[g]);
        if (a.count > 0) make_tiles(span, &a, most, channel, width);
    }
}

void sv_panels_give(const sv_plan *plan, const sv_panels_input *input, int64_t emitted, int64_t count, float *out) {
    span span;
    span.plan = plan;
    span.kernels = sv_polyphase_active();
    span.buffer = input->buffer;
    span.first = input->first;
    span.channels = input->channels;
    span.out = out;
    span.from = emitted + plan->lead;
    span.to = span.from + count;
    span.from_period = span.from / plan->outs;
    span.from_rest = span.from % plan->outs;
    span.last_period = (span.to - 1) / plan->outs;
    span.last_rest = (span.to - 1) % plan->outs;
    uint32_t channel = 0;
    for (; channel + 2 <= span.channels; channel += 2) make_groups(&span, channel, 2);
    if (channel < span.channels) make_groups(&span, channel, 1);
}
