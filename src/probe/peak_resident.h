// Lets the kernel forget the highest resident set so far, so that memory which only a measurement
// took does not count as the model's.
//
// Writes 5 to /proc/self/clear_refs, which sets VmHWM to the present resident set (proc(5), Linux
// 4.0 and later). Touches nothing else. Process-wide; call it from one thread.
#pragma once

namespace hone::probe {

// false where the system refuses: then the mark stays.
bool forget_peak_resident();

}  // namespace hone::probe
