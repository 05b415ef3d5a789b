// tasks.process_video_task: cuts an uploaded video, uploads the pieces and their thumbnails, marks the video,
// then queues the creation of the segments' records. Run again at any point, it ends in the same state.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "model/cutting.h"
#include "model/segment.h"
#include "tasks/registry.h"

namespace segments {

struct ProcessVideo {
  std::string s3_input_key;
  std::string job_id;  // also the video's id
  std::optional<CuttingOptions> cutting_options;
  std::optional<TextStrategy> text_strategy;
  std::optional<TextInput> text_input;
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(ProcessVideo, (),
                      (s3_input_key, job_id, cutting_options, text_strategy, text_input, user_id))
constexpr Rule rule_of(Describes<ProcessVideo>, std::string_view member) {
  if (member == "s3_input_key") return {.min_length = 1, .max_length = 900, .check = fault_of_object_key};
  if (member == "job_id") return {.min_length = 1, .max_length = 200, .check = fault_of_id};
  return {.max_length = 200};
}

std::string process_video(std::string_view arguments, Services&, const TaskContext&);
// Marks the job as failed with the sentence, unless it ended otherwise, and removes what the runs left.
void give_up_video(std::string_view arguments, Services&, const std::string& error, bool revoked);

}  // namespace segments
