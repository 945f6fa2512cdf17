/* Makes room for the macros of another kind of vector; see polyphase_tiles.h. */
#undef REAL
#undef VECTOR
#undef PER_VECTOR
#undef LOAD
#undef LOAD_ANY
#undef STORE
#undef SPREAD
#undef ADD
#undef FMA
#undef BLEND
#undef COLUMNS
#undef ACCUMULATORS
#undef PUT
#undef NAME
