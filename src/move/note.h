// Where a move has come to, as it is kept in the target.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <string>

#include "base/time.h"
#include "store/archive.h"

namespace segments::move {

// Of a list of objects, in any order.
struct ObjectSums {
  std::int64_t bytes = 0;
  KindSum contents;  // keys and sizes
  KindSum versions;  // and ETags: of one store alone
  bool operator==(const ObjectSums&) const = default;
};
BOOST_DESCRIBE_STRUCT(ObjectSums, (), (bytes, contents, versions))

enum class Step { objects, records, comparison, done };
BOOST_DESCRIBE_ENUM(Step, objects, records, comparison, done)

struct Note {
  std::string source = {};    // Side::name
  bool began_empty = true;    // what is in the target came from the source
  Step step = Step::objects;  // of the pass
  Millis pass_began = 0;
  Millis verified_before = 0;      // objects that are older were copied and read back in an earlier pass
  std::string object_after = {};   // the last object that is done
  ObjectSums objects = {};         // of the source, as far as it was listed
  std::string record_cursor = {};  // the page that is next
  RecordSums records = {};         // of the source, up to there
  RecordSums target = {};          // at the end of the move
};
BOOST_DESCRIBE_STRUCT(Note, (),
                      (source, began_empty, step, pass_began, verified_before, object_after, objects,
                       record_cursor, records, target))

inline constexpr std::string_view note_name = "target";

}  // namespace segments::move
