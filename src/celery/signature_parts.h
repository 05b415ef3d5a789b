// Signatures as JSON: what they are, and what is read from and put into them. See signature.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "celery/json.h"

namespace segments::celery {

// Thrown and caught within one task's follow-ups: this signature is not published.
struct UnusableSignature {
  std::string sentence;
};

enum class Shape { task, chain, group, chord };
Shape shape_of(const Json& signature);

// A signature's list of tasks: an array, or for a chord's header also a group.
std::vector<Json> tasks_of(const Json& tasks);
// Groups within a group are one group.
std::vector<Json> unrolled(const std::vector<Json>& tasks);
// Chains within a chain are one chain. What belongs to the end of an inner one goes to its last step.
std::vector<Json> spliced(const std::vector<Json>& tasks);
Json make_group(std::vector<Json> tasks, std::string_view id);
Json make_chord(Json group, Json body);

Json& member_of(Json& object, const char* name);  // created where it is none: an object
Json& options_of(Json& signature);
// More of a list option, which may stand as a single signature.
void extend_option(Json& signature, const char* option, const Json& more);
void prepend_args(Json& signature, const std::vector<Json>& partial);

// How many completions a chord's header task stands for.
std::int64_t chord_weight(const Json& signature);
// An option of a signature's end (of a chain the last step, of a chord the body), or where that has none its
// own. A chord's own task_id is its group's, mostly.
const Json& option_at_end(const Json& signature, const char* name);
std::string id_of(const Json& signature);

struct Weight {
  std::size_t bytes = 0;
  int depth = 0;
};
Weight weigh(const Json&);

}  // namespace segments::celery
