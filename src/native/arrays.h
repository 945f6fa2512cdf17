/* NumPy arrays of audio without the buffer protocol, by NumPy's own C interface: two buffers and an array made by
 * numpy.empty took 0.3 us of every call, as long as resampling five milliseconds.
 *
 * NumPy promises this interface for the stable ABI of Python, and from 1.25 on whatever later version it is built with.
 *
 * Realtime: no. Thread: engine, with the GIL.
 */
#ifndef SOTTOVOCE_ARRAYS_H
#define SOTTOVOCE_ARRAYS_H

#define NPY_NO_DEPRECATED_API NPY_1_25_API_VERSION
#define NPY_TARGET_VERSION NPY_1_25_API_VERSION
#include <Python.h>
#include <numpy/arrayobject.h>

#include <stdint.h>

typedef struct {
    void *samples;
    int64_t frames;
    int is_int16; /* else float32 */
    int is_flat;  /* shape (frames,) */
} sv_frames;

/* Once, at import; -1 with an ImportError. */
static inline int sv_arrays_import(void) {
    import_array1(-1);
    return 0;
}

/* 1 if the object is an array of float32 or int16 of shape (frames, channels), or (frames,) for one channel, that C can
 * read (and write) as it is; else 0, without an error. */
static inline int sv_frames_of(PyObject *object, uint32_t channels, int writable, sv_frames *frames) {
    if (!PyArray_Check(object)) return 0;
    PyArrayObject *array = (PyArrayObject *)object;
    const int type = PyArray_TYPE(array), axes = PyArray_NDIM(array);
    const int needed = writable ? NPY_ARRAY_CARRAY : NPY_ARRAY_CARRAY_RO;
    if ((type != NPY_FLOAT32 && type != NPY_INT16) || !PyArray_ISNOTSWAPPED(array)) return 0;
    if (!PyArray_CHKFLAGS(array, needed)) return 0;
    if (axes != 2 ? axes != 1 || channels != 1 : PyArray_DIM(array, 1) != (npy_intp)channels) return 0;
    frames->samples = PyArray_DATA(array);
    frames->frames = PyArray_DIM(array, 0);
    frames->is_int16 = type == NPY_INT16;
    frames->is_flat = axes == 1;
    return 1;
}

/* A new array with those frames, uninitialised; NULL with a MemoryError. */
static inline PyObject *sv_frames_new(int64_t count, uint32_t channels, int is_int16, int is_flat,
                                      sv_frames *frames) {
    npy_intp shape[2] = {(npy_intp)count, (npy_intp)channels};
    PyObject *object = PyArray_SimpleNew(is_flat ? 1 : 2, shape, is_int16 ? NPY_INT16 : NPY_FLOAT32);
    if (object == NULL) return NULL;
    frames->samples = PyArray_DATA((PyArrayObject *)object);
    frames->frames = count;
    frames->is_int16 = is_int16;
    frames->is_flat = is_flat;
    return object;
}

#endif
