#include "base/processor.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>

namespace segments {

namespace {

constexpr std::uint64_t turn_ns = 100'000;  // the least that the kernel takes

// As sched_setattr(2) has it. Debian's headers of the kernel and of the C library cannot be included
// together.
struct Attributes {
  std::uint32_t size = sizeof(Attributes);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0;
  std::uint64_t deadline_ns = 0;
  std::uint64_t period_ns = 0;
};

}  // namespace

void ask_for_short_turns() {
  Attributes attributes;
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.runtime_ns = turn_ns;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

ProcessorUse::ProcessorUse() : file_(::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}

std::optional<ProcessorUse::Times> ProcessorUse::read() const {
  char text[96];
  const auto size = ::pread(file_.number(), text, sizeof text, 0);
  if (size <= 0) return std::nullopt;
  Times times;
  const auto ran = std::from_chars(text, text + size, times.ran_ns);
  if (ran.ec != std::errc() || ran.ptr == text + size) return std::nullopt;
  const auto waited = std::from_chars(ran.ptr + 1, text + size, times.waited_ns);
  return waited.ec == std::errc() ? std::optional(times) : std::nullopt;
}

}  // namespace segments
