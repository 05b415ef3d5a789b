// How the kernel shares the processors between threads.
#pragma once

namespace segments {

// Who asks for short turns on a processor is let on it sooner when it wakes, and gets no more of it: what
// this thread has to do does not wait for the end of a turn of a checkpoint's or a backup's. Kernels
// before 6.12 take the wish for nothing; where an operator has chosen another policy than the usual one it
// stays.
void ask_for_short_turns();

}  // namespace segments
