#include "move/patient_archive.h"

#include "base/error.h"

namespace segments::move {
namespace {

constexpr Millis pauses_ms[] = {1'000, 2'000, 4'000, 8'000, 15'000};

}  // namespace

template <class F>
auto PatientArchive::patiently(F&& f) {
  for (Millis pause : pauses_ms) {
    try {
      return f();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unavailable) throw;
      wait_(error.what(), pause);
    }
  }
  return f();
}

RecordPage PatientArchive::list_records(std::string_view cursor, std::size_t limit, Millis as_of) {
  return patiently([&] { return archive_.list_records(cursor, limit, as_of); });
}

std::vector<std::optional<Record>> PatientArchive::find_records(std::span<const Record> like) {
  return patiently([&] { return archive_.find_records(like); });
}

PutReport PatientArchive::put_records(std::span<const Record> records) {
  return patiently([&] { return archive_.put_records(records); });
}

void PatientArchive::remove_records(std::span<const Record> records) {
  patiently([&] { archive_.remove_records(records); });
}

bool PatientArchive::is_empty() {
  return patiently([&] { return archive_.is_empty(); });
}

std::optional<std::string> PatientArchive::find_note(std::string_view name) {
  return patiently([&] { return archive_.find_note(name); });
}

void PatientArchive::put_note(std::string_view name, std::string_view text) {
  patiently([&] { archive_.put_note(name, text); });
}

}  // namespace segments::move
