// Each run of a task has a folder of its own in the worker's work_dir. Its name holds the task's id and the
// lease's fence, so that a run whose lease was lost cannot touch the folder of the next one.
#pragma once

#include <filesystem>

#include "queue/task_queue.h"

namespace segments {

// Made empty. Throws Error{unavailable} where that fails.
std::filesystem::path make_run_folder(const std::filesystem::path& work_dir, const LeasedTask&);
void remove_run_folder(const std::filesystem::path&);
// Removes the folders of runs that are over: those of dead workers.
void remove_old_run_folders(const std::filesystem::path& work_dir, TaskQueue&);

}  // namespace segments
