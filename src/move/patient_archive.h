// An archive that is asked again where it cannot answer now: a move is long, and a database is not to end it
// by being slow for a while. Everything that is asked of archives may be asked twice.
#pragma once

#include <functional>
#include <string>

#include "store/archive.h"

namespace segments::move {

class PatientArchive : public Archive {
 public:
  // `wait` is told what went wrong, and sleeps so many milliseconds or throws.
  PatientArchive(Archive& archive, std::function<void(const std::string&, Millis)> wait)
      : archive_(archive), wait_(std::move(wait)) {}

  RecordPage list_records(std::string_view cursor, std::size_t limit, Millis as_of) override;
  std::vector<std::optional<Record>> find_records(std::span<const Record> like) override;
  PutReport put_records(std::span<const Record>) override;
  void remove_records(std::span<const Record>) override;
  bool is_empty() override;
  std::optional<std::string> find_note(std::string_view name) override;
  void put_note(std::string_view name, std::string_view text) override;

 private:
  template <class F>
  auto patiently(F&& f);

  Archive& archive_;
  const std::function<void(const std::string&, Millis)> wait_;
};

}  // namespace segments::move
