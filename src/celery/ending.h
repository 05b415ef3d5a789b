// How one delivery ends, all that the end script must know of it; and the parts of chords that end with it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "celery/delivery.h"
#include "celery/result.h"
#include "celery/signature.h"
#include "celery/task_record.h"
#include "redis/client.h"

namespace segments::celery {

// A part that one more task has brought to its chord.
struct ChordStep {
  TaskMessage message;  // the header's task: group, group_index, embed.chord
  ChordPart part;
  // Planned, from what the chord looked like. Where this part completes it, or would have, and it looks
  // different by then, the script does nothing.
  std::int64_t seen = 0;
  std::string size = {};  // of all parts; "" not known yet
  bool planned = false, complete = false;
  bool recorded_only = false;  // whatever the chord looks like
};

struct Ending {
  enum class Kind { end, drop, retry, back, died };  // drop: never begun; died: back, and a death is counted
  DeliveryPtr delivery;
  Kind kind = Kind::end;
  std::string status = {};  // SUCCESS, FAILURE, REVOKED
  std::string error = {};
  Millis ready = 0;       // of a retry
  std::string meta = {};  // for the result backend; "" none
  std::string back = {};  // the message that goes back to its list
  std::string letter = {}, given = {};
  bool guarded = false;    // only while the lease has ended
  bool registered = true;  // its name is one of ours: others are counted together
  std::vector<ChordStep> chords = {};
  FollowUps follow_ups = {};
  std::vector<std::pair<std::string, std::string>> others = {};  // id and meta of tasks that end with it

  bool is_plain() const;  // most are: the script takes them first, in few words
  void print_plain(ScriptCall&) const;
  void print(ScriptCall&, Millis now) const;
};

// It waits again: handed back, or its worker died.
Ending make_return(DeliveryPtr, Ending::Kind);
// Its workers died too often: it has failed.
Ending make_poisoned(DeliveryPtr, int deaths, Millis now);

// What a run that ended for good brings about beside its own result.
void follow(Ending&, const Json& result, Millis now);
void follow(Ending&, const PythonException&, Millis now);
// Tasks that will not run because of it fail as it did, in their chords too.
void fail_skipped(Ending&, const PythonException&, Millis now);
void merge(FollowUps& into, FollowUps&& more);
// A failure for good: result, dead letter, and its owner is told.
void fail(Ending&, const PythonException&, const std::string& sentence, Millis now);
void put_meta(Ending&, ResultMeta);
// Its part, where it belongs to a chord.
void add_chord(Ending&, const TaskMessage&, std::string_view status, const Json& result);
// The score of a part among its chord's: "+inf" for one without an index.
std::string chord_score(const TaskMessage&);

// Looks at the chords of all of them and plans each part in order: the last part of a chord publishes its
// body, or fails it. No round trip without chords.
void plan_chords(redis::Client&, const std::vector<Ending*>&, Millis now);

}  // namespace segments::celery
