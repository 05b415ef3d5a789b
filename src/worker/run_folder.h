// Each run of a task has a folder of its own in the worker's work_dir, which the run itself makes when it
// needs it: most of a short task's time would go into one. Its name holds the task's id and a number of the
// run, which no other run has, so that one whose lease was lost cannot touch the folder of the next.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "queue/task_queue.h"

namespace segments {

std::string run_folder(const std::filesystem::path& work_dir, std::string_view task_id, std::int64_t run);
// Each of them that there is, of those that run_folder() named.
void remove_run_folders(const std::filesystem::path& work_dir, const std::vector<std::string>&);
// Removes the folders of runs that are over: those of dead workers.
void remove_old_run_folders(const std::filesystem::path& work_dir, TaskQueue&);

}  // namespace segments
