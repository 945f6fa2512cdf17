#include "kernels/polyphase_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/polyphase_kernels.h"
#include "memory.h"

/* Beyond so many bytes of panels (they would no longer stay in the second-level cache) a ratio is interpolated. */
static const size_t MAX_PANEL_BYTES = (size_t)1 << 20;
/* Rows of cubics in every sample of the lower rate: 32 leave an error of -150 dB, and each doubling 24 dB less. */
enum { ROWS = 32, ROWS_WIDE = 64 };
/* Fewer groups than this need no mirroring: their panels stay in the first-level cache. */
enum { MIRRORED_GROUPS = 6 };
static const double PI = 3.14159265358979323846;

void *sv_new_aligned(size_t bytes) {
    char *memory = (char *)sv_new(bytes + 64 + sizeof(void *));
    if (memory == NULL) return NULL;
    char *aligned = (char *)(((uintptr_t)memory + sizeof(void *) + 63) & ~(uintptr_t)63);
    memcpy(aligned - sizeof(void *), &memory, sizeof(void *));
    return aligned;
}

void sv_free_aligned(void *memory) {
    if (memory == NULL) return;
    void *whole;
    memcpy(&whole, (char *)memory - sizeof(void *), sizeof(void *));
    free(whole);
}

static double scale_of(const sv_plan *plan) { return plan->up < plan->down ? (double)plan->up / plan->down : 1.0; }

/* Room to sample a prototype: cosines and sines of what each tap is turned against the first, by which no tap of any
 * phase needs a cosine of its own. */
typedef struct {
    size_t most;  /* taps, in whole SV_POINTS */
    double *memory, *cosine, *sine;
} turns;

static int make_turns(turns *turns, const sv_plan *plan, const sv_prototype *prototype, size_t taps) {
    turns->most = (taps + SV_POINTS - 1) / SV_POINTS * SV_POINTS;
    turns->memory = turns->cosine = (double *)malloc(2 * turns->most * sizeof(double));
    if (turns->memory == NULL) return -1;
    turns->sine = turns->cosine + turns->most;
    for (size_t i = 0; i < turns->most; i++) {
        const double angle = 2.0 * PI * (double)i * scale_of(plan) / prototype->length;
        turns->cosine[i] = cos(angle);
        turns->sine[i] = sin(angle);
    }
    return 0;
}

/* `taps` values of the prototype, the first at `first` input frames from the middle, of sum 1. */
static void sample(const sv_plan *plan, const sv_prototype *prototype, const turns *turns, double first, size_t taps,
                   double *out) {
    const sv_polyphase_kernels *kernels = sv_polyphase_active();
    const double scale = scale_of(plan), angle = 2.0 * PI * first * scale / prototype->length;
    const double cosine = cos(angle), sine = sin(angle);
    double sum = 0.0;
    for (size_t i = 0; i < taps; i += SV_POINTS) {
        double twice[SV_POINTS], value[SV_POINTS];
        for (size_t j = 0; j < SV_POINTS; j++)
            twice[j] = 2.0 * (cosine * turns->cosine[i + j] - sine * turns->sine[i + j]);
        kernels->series(prototype->cosines, prototype->terms, twice, value);
        for (size_t j = 0; j < SV_POINTS && i + j < taps; j++) {
            const int within = fabs(first + (double)(i + j)) * scale < 0.5 * prototype->length;
            sum += out[i + j] = within ? value[j] : 0.0;
        }
    }
    for (size_t i = 0; i < taps; i++) out[i] /= sum;
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* First input of output m, and the last: those nearer to its middle than the filter's half length. */
static int64_t first_input(const sv_plan *plan, int64_t m) {
    const int64_t up = plan->up, down = plan->down;
    return floor_div((2 * m + 1) * down - up - plan->reach, 2 * up) + 1;
}

static int64_t last_input(const sv_plan *plan, int64_t m) {
    const int64_t up = plan->up, down = plan->down;
    return -floor_div(-((2 * m + 1) * down - up + plan->reach), 2 * up) - 1;
}

static void store(const sv_plan *plan, size_t at, double value) {
    if (!plan->wide) {
        ((float *)plan->table)[at] = (float)value;
        return;
    }
    int exponent; /* 29 bits: the product with a float is then exact, with or without FMA */
    const double part = frexp(value, &exponent);
    ((double *)plan->table)[at] = ldexp(nearbyint(ldexp(part, 29)), exponent - 29);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t largest(int64_t a, int64_t b) { return a > b ? a : b; }

/* The least multiple of `up` that fills whole groups, or `up` itself if it is long enough to waste little. */
static uint32_t period_of(uint32_t up) {
    uint32_t times = 1;
    if (up >= 5 * SV_LANES) return up;
    while (up * times % SV_LANES) times++;
    return up * times;
}

static void place_groups(sv_plan *plan) {
    const int32_t outs = (int32_t)plan->outs, groups = (int32_t)plan->groups, stored = (int32_t)plan->panels;
    for (int32_t g = 0; g < groups; g++) {
        sv_group *group = &plan->group[g];
        group->mirrored = g >= stored;
        group->start = g < stored ? SV_LANES * g : outs - SV_LANES * (groups - g);
        group->low = g == stored ? SV_LANES * g - group->start : 0;
        group->high = SV_LANES - 1;
        const int32_t like = group->mirrored ? SV_LANES * (groups - 1 - g) : group->start;
        group->input = first_input(plan, like - plan->lead);
        if (group->mirrored) group->input = (int64_t)plan->ins - 1 - group->input;
    }
}

/* Rows of a half panel, and how far around the newest frame the panels read. */
static void measure_groups(sv_plan *plan) {
    int64_t rows = 0;
    for (uint32_t g = 0; g < plan->panels; g++) {
        const int64_t first = plan->group[g].start - plan->lead;
        rows = largest(rows, last_input(plan, first + SV_LANES - 1) - first_input(plan, first) + 1);
    }
    plan->half = (size_t)((rows + 1) / 2);
    rows = (int64_t)plan->half * 2;
    for (uint32_t g = 0; g < plan->groups; g++) {
        const sv_group *group = &plan->group[g];
        const int64_t first = group->start - plan->lead;
        const int64_t lowest = group->mirrored ? group->input - rows + 1 : group->input;
        plan->before = largest(plan->before, last_input(plan, first + group->high) - lowest);
        plan->after = largest(plan->after, lowest + rows - 1 - last_input(plan, first + group->low));
    }
    if (plan->groups == plan->panels) return;
    /* A column that only the other of two neighbouring groups is asked for is a group's outputs further out. */
    const int64_t further = SV_LANES * (int64_t)plan->down / plan->up + 1;
    plan->before += further;
    plan->after += further;
}

/* Panels are [row][lane], the first half from the first input inward, the second from the last input inward. */
static int fill_panels(sv_plan *plan, const sv_prototype *prototype) {
    const size_t rows = plan->half * 2;
    double *taps = (double *)malloc(rows * sizeof(double));
    turns turns;
    if (taps == NULL || make_turns(&turns, plan, prototype, rows)) {
        free(taps);
        return -1;
    }
    for (uint32_t g = 0; g < plan->panels; g++) {
        for (int lane = 0; lane < SV_LANES; lane++) {
            const int64_t m = plan->group[g].start + lane - plan->lead;
            const int64_t first = first_input(plan, m), count = last_input(plan, m) - first + 1;
            const int64_t offset = (2 * first + 1) * (int64_t)plan->up - (2 * m + 1) * (int64_t)plan->down;
            sample(plan, prototype, &turns, (double)offset / (2.0 * plan->up), (size_t)count, taps);
            for (int64_t i = 0; i < count; i++) {
                const size_t row = (size_t)(first - plan->group[g].input + i);
                const size_t stored = row < plan->half ? row : plan->half + (rows - 1 - row);
                store(plan, ((size_t)g * rows + stored) * SV_LANES + (size_t)lane, taps[i]);
            }
        }
    }
    free(turns.memory);
    free(taps);
    return 0;
}

/* In the first rows the first outputs only have taps, in the last ones the last outputs. */
static size_t edge_of(const sv_plan *plan) {
    const int64_t rows = (int64_t)plan->half * 2;
    int64_t edge = (int64_t)plan->half;
    for (uint32_t g = 0; g < plan->panels; g++) {
        const int64_t middle = plan->group[g].start - plan->lead + SV_LANES / 2, input = plan->group[g].input;
        edge = least(edge, first_input(plan, middle) - input);
        edge = least(edge, input + rows - 1 - last_input(plan, middle - 1));
    }
    return (size_t)edge;
}

static int make_panels(sv_plan *plan, const sv_prototype *prototype) {
    plan->outs = period_of(plan->up);
    plan->ins = (uint32_t)((uint64_t)plan->outs / plan->up * plan->down);
    plan->groups = (plan->outs + SV_LANES - 1) / SV_LANES;
    const int mirrored = plan->groups >= MIRRORED_GROUPS;
    const uint32_t panels = mirrored ? (plan->groups + 1) / 2 : plan->groups;
    const size_t item = plan->wide ? sizeof(double) : sizeof(float);
    const double rows = (double)plan->reach / plan->up + 16.0 * plan->down / plan->up + 4.0;
    if ((double)panels * rows * SV_LANES * (double)item > (double)MAX_PANEL_BYTES) return 0;
    plan->panels = panels;
    if (!mirrored) { /* begin groups where a call ends that brings whole periods: none is computed twice */
        const int64_t at = floor_div(-plan->ahead, 2 * (int64_t)plan->down);
        plan->lead = -at - floor_div(-at, plan->outs) * (int64_t)plan->outs;
    }
    plan->group = (sv_group *)sv_new(plan->groups * sizeof(sv_group));
    if (plan->group == NULL) return -1;
    place_groups(plan);
    measure_groups(plan);
    plan->edge = edge_of(plan);
    plan->bytes = plan->panels * plan->half * 2 * SV_LANES * item;
    plan->table = sv_new_aligned(plan->bytes);
    return plan->table == NULL ? -1 : fill_panels(plan, prototype);
}

/* Coefficients of the cubic through four values at `node` of 0..1, by Newton's divided differences. */
static void cubic(const double *node, const double *value, double *out) {
    double d[4] = {value[0], value[1], value[2], value[3]};
    for (int level = 1; level < 4; level++)
        for (int i = 3; i >= level; i--) d[i] = (d[i] - d[i - 1]) / (node[i] - node[i - level]);
    double c[4] = {d[3], 0.0, 0.0, 0.0};
    for (int i = 2; i >= 0; i--) {
        for (int j = 3; j > 0; j--) c[j] = c[j - 1] - node[i] * c[j];
        c[0] = d[i] - node[i] * c[0];
    }
    memcpy(out, c, sizeof(c));
}

/* The table is [row][block][power of the weight][tap]. */
static int fill_cubics(sv_plan *plan, const sv_prototype *prototype) {
    const size_t taps = plan->blocks * SV_LANES;
    double *values = (double *)malloc(4 * taps * sizeof(double));
    double node[4];
    turns turns;
    if (values == NULL || make_turns(&turns, plan, prototype, taps)) {
        free(values);
        return -1;
    }
    for (int i = 0; i < 4; i++) node[i] = 0.5 - 0.5 * cos(PI * (2 * i + 1) / 8.0); /* Chebyshev's: least error */
    for (uint32_t row = 0; row < plan->rows; row++) {
        for (int i = 0; i < 4; i++) {
            const double phase = (row + node[i]) / plan->rows;
            const double first = 1.0 - phase - (double)plan->reach / (2.0 * plan->up);
            sample(plan, prototype, &turns, first, taps, values + i * taps);
        }
        for (size_t tap = 0; tap < taps; tap++) {
            const double value[4] = {values[tap], values[taps + tap], values[2 * taps + tap], values[3 * taps + tap]};
            double c[4];
            cubic(node, value, c);
            const size_t at = ((row * plan->blocks + tap / SV_LANES) * 4) * SV_LANES + tap % SV_LANES;
            for (int power = 0; power < 4; power++) store(plan, at + (size_t)power * SV_LANES, c[power]);
        }
    }
    free(turns.memory);
    free(values);
    return 0;
}

static int make_cubics(sv_plan *plan, const sv_prototype *prototype) {
    /* Whole taps, and the last one counts even where it should be 0: the cubics come near 0 only. */
    const size_t taps = (size_t)((plan->reach + plan->up - 1) / plan->up);
    plan->reach = (int64_t)taps * plan->up;
    plan->ahead = plan->reach + 1 - plan->up - plan->down;
    plan->outs = plan->up;
    plan->ins = plan->down;
    plan->rows = (uint32_t)ceil((plan->wide ? ROWS_WIDE : ROWS) * scale_of(plan));
    plan->blocks = (taps + SV_LANES - 1) / SV_LANES;
    plan->before = plan->after = (int64_t)plan->blocks * SV_LANES;
    plan->bytes = plan->rows * plan->blocks * 4 * SV_LANES * (plan->wide ? sizeof(double) : sizeof(float));
    plan->table = sv_new_aligned(plan->bytes);
    return plan->table == NULL ? -1 : fill_cubics(plan, prototype);
}

static uint32_t common_divisor(uint32_t a, uint32_t b) {
    while (b) {
        const uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void begin(sv_plan *plan, const sv_prototype *prototype, uint32_t in_samplerate, uint32_t out_samplerate) {
    const uint32_t divisor = common_divisor(in_samplerate, out_samplerate);
    memset(plan, 0, sizeof(*plan));
    plan->up = out_samplerate / divisor;
    plan->down = in_samplerate / divisor;
    plan->wide = prototype->wide;
    plan->reach = (int64_t)prototype->length * (plan->up > plan->down ? plan->up : plan->down);
    plan->ahead = plan->reach - plan->up - plan->down;
}

int sv_plan_make(sv_plan *plan, const sv_prototype *prototype, uint32_t in_samplerate, uint32_t out_samplerate) {
    static const double one[] = {0.5, 0.5}; /* 1 at 0, and 0 at the ends of two samples: equal rates pass unchanged */
    static const sv_prototype nothing = {"", 2, 0, 2, one};
    if (in_samplerate == out_samplerate) prototype = &nothing;
    begin(plan, prototype, in_samplerate, out_samplerate);
    if (make_panels(plan, prototype)) return -1;
    return plan->panels ? 0 : make_cubics(plan, prototype);
}

int sv_plan_make_blended(sv_plan *plan, const sv_prototype *prototype, uint32_t in_samplerate,
                         uint32_t out_samplerate) {
    begin(plan, prototype, in_samplerate, out_samplerate);
    return make_cubics(plan, prototype);
}

void sv_plan_free(sv_plan *plan) {
    sv_free_aligned(plan->table);
    free(plan->group);
    memset(plan, 0, sizeof(*plan));
}
