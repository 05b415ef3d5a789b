#include "app/dead_letters.h"

#include <algorithm>

#include "base/error.h"
#include "describe/encode.h"

namespace segments {
namespace {

constexpr std::size_t page = 500;

// Stops where `f` says false.
template <class F>
void for_each_dead_letter(TaskQueue& queue, F&& f) {
  std::string after;
  while (true) {
    auto letters = queue.list_dead_letters(after, page);
    for (const auto& letter : letters)
      if (!f(letter)) return;
    if (letters.size() < page) return;
    after = letters.back().task_id;
  }
}

// Ids, names and errors may come from other producers: none of them may break a line or steer a terminal.
std::string on_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

}  // namespace

int list_dead_letters(TaskQueue& queue, std::ostream& out) {
  for_each_dead_letter(queue, [&](const DeadLetter& letter) {
    out << on_one_line(letter.task_id) << '\t' << letter.died_at << '\t' << on_one_line(letter.name) << '\t'
        << on_one_line(letter.error) << '\n';
    return true;
  });
  return 0;
}

int show_dead_letter(TaskQueue& queue, const std::string& task_id, std::ostream& out) {
  std::optional<DeadLetter> found;
  for_each_dead_letter(queue, [&](const DeadLetter& letter) {
    if (letter.task_id == task_id) found = letter;
    return letter.task_id < task_id;
  });
  if (!found) throw not_found("dead letter", task_id);
  out << encode(*found) << '\n';
  return 0;
}

}  // namespace segments
