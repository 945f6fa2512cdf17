from libc.stdint cimport int16_t, int64_t, uint32_t


cdef extern from "kernels/polyphase.h" nogil:
    ctypedef struct sv_polyphase:
        pass

    sv_polyphase* sv_polyphase_new(int tier, uint32_t in_samplerate, uint32_t out_samplerate,
                                   uint32_t channels) noexcept
    void sv_polyphase_free(sv_polyphase* stream) noexcept
    void sv_polyphase_reset(sv_polyphase* stream) noexcept
    int sv_polyphase_tiers() noexcept
    const char* sv_polyphase_tier_name(int tier) noexcept
    int64_t sv_polyphase_out_frames(const sv_polyphase* stream, int64_t in_frames) noexcept
    double sv_polyphase_latency_frames(const sv_polyphase* stream) noexcept
    int64_t sv_polyphase_process(sv_polyphase* stream, const float* x, int64_t in_frames, float* out) noexcept
    int64_t sv_polyphase_process_int16(sv_polyphase* stream, const int16_t* x, int64_t in_frames,
                                       int16_t* out) noexcept
    int64_t sv_polyphase_flush_frames(const sv_polyphase* stream) noexcept
    int64_t sv_polyphase_flush(sv_polyphase* stream, float* out) noexcept
    int64_t sv_polyphase_flush_int16(sv_polyphase* stream, int16_t* out) noexcept
    void sv_polyphase_advance(sv_polyphase* stream, int64_t periods) noexcept
    int sv_polyphase_is_fixed(const sv_polyphase* stream) noexcept
    int64_t sv_polyphase_table_bytes(const sv_polyphase* stream) noexcept
