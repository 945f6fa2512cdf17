/* A Python built with RealtimeSanitizer, whose runtime stands between the whole process and the C library. Inside an
 * armed call, whatever allocates, locks, waits or makes a system call is reported with the stack that led there.
 */
#include <Python.h>

typedef int callback(const void *, void *, unsigned long, const void *, unsigned long, void *);

void __rtsan_realtime_enter(void);
void __rtsan_realtime_exit(void);

/* Calls a callback as PortAudio would, armed. */
__attribute__((visibility("default"), used)) int armed_call(callback *called, const void *input, void *output,
                                                            unsigned long frames, void *userdata) {
    __rtsan_realtime_enter();
    const int result = called(input, output, frames, 0, 0, userdata);
    __rtsan_realtime_exit();
    return result;
}

int main(int argc, char **argv) { return Py_BytesMain(argc, argv); }
