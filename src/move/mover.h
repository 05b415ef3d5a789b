// Moves everything that one set of engines keeps to another: records and objects, while the source goes on.
// It copies in passes, until one leaves source and target alike and the source as it was when it began. Where
// it has come to is noted in the target, so that a run goes on where the last was killed; whatever it does
// may be done again. Docs: docs/adr/0017-moving.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "move/note.h"
#include "move/patient_archive.h"
#include "objects/object_store.h"
#include "store/archive.h"

namespace segments::move {

struct Side {
  std::string name;  // "sqlite /var/lib/segments": the same for the same data, whoever runs this
  Archive& records;
  ObjectStore& objects;
};

struct Options {
  bool overwrites = false;  // a target that holds something else is made like the source
  int most_passes = 5;
  std::size_t records_at_once = 1'000, objects_at_once = 32;
  // Called now and then with what is done.
  std::function<void(const std::string&)> tell = [](const std::string&) {};
  // Asked now and then: whether to end early, with Error{conflict}.
  std::function<bool()> is_stopped = [] { return false; };
  // Before a database that does not answer is asked again.
  std::function<void(Millis)> sleep = [](Millis ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  };
};

struct Report {
  int passes = 0;
  std::int64_t changed_records = 0, removed_records = 0;                   // in the target, in all passes
  std::int64_t copied_objects = 0, copied_bytes = 0, removed_objects = 0;  // the same
  RecordSums source_records, target_records;
  ObjectSums source_objects, target_objects;
  bool is_alike = false;     // both sides, at the end
  bool has_changed = false;  // the source, during the last pass
  std::int64_t differences = 0;
  std::vector<std::string> named;  // the first hundred of them
};

class Mover {
 public:
  Mover(Side source, Side target, Options);
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;

  // Throws Error{conflict} for a target that holds something else, or was written by others since it was
  // moved.
  Report run();
  // Only looks: every record and, byte by byte, every object.
  Report compare();

 private:
  void begin();
  void pass(Report&);
  void move_objects(Report&);
  void move_records(Report&);
  bool is_alike(Report&);
  ObjectSums sum_moved_objects();
  bool is_source_unchanged(const Report&);
  std::int64_t prune(Report&);
  std::int64_t prune_objects();
  void name_differences(Report&, bool reads_objects);
  void name_records(Report&, bool is_backwards);
  void name_objects(Report&, bool reads);
  void name_one(Report&, std::string sentence);
  void save();
  void go_on(const std::string& said);  // tells, not too often, and looks whether to stop
  void wait(const std::string& fault, Millis);
  void check_stopped() const;

  const Options options_;
  PatientArchive source_records_, target_records_;
  Side source_, target_;
  Note note_;
  Millis told_ = 0;
};

}  // namespace segments::move
