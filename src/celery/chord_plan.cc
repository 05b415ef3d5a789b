#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "celery/ending.h"
#include "celery/keys.h"

namespace segments::celery {

namespace {

struct Chord {
  std::int64_t seen = 0;  // parts that are recorded, and those that were planned before this one
  std::string size;
  std::optional<std::int64_t> whole;
  bool is_read = false;
  std::vector<std::pair<double, std::string>> parts;  // in their order; recorded ones when they were read
};

struct Step {
  Ending* ending;
  std::size_t index;
  ChordStep& chord() const { return ending->chords[index]; }
  const std::string& group() const { return chord().message.group; }
};

class ChordPlanner {
 public:
  ChordPlanner(redis::Client& redis, Millis now) : redis_(redis), now_(now) {}

  // Completing one chord may bring a part to another one.
  void plan(const std::vector<Ending*>& endings) {
    for (auto steps = unplanned(endings); !steps.empty(); steps = unplanned(endings)) {
      drop_recorded(endings, steps);
      steps = unplanned(endings);
      look_at(steps);
      for (const auto& step : steps) place(step.chord());
      read_parts(steps);
      for (const auto& step : steps)
        if (auto& chord = chords_[step.group()]; step.chord().complete) complete(step, chord);
    }
  }

 private:
  static std::vector<Step> unplanned(const std::vector<Ending*>& endings) {
    std::vector<Step> steps;
    for (auto* ending : endings)
      for (std::size_t i = 0; i < ending->chords.size(); ++i)
        if (!ending->chords[i].planned) steps.push_back({ending, i});
    return steps;
  }

  // Parts that are recorded already (the task ran twice) are not brought again.
  void drop_recorded(const std::vector<Ending*>& endings, const std::vector<Step>& steps) {
    std::vector<redis::Command> commands;
    for (const auto& step : steps) {
      auto score = chord_score(step.chord().message);
      commands.push_back({"ZRANGEBYSCORE", keys::chord_parts(step.group()), score, score});
    }
    auto replies = redis_.ask_all(commands);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      auto& message = steps[i].chord().message;
      for (const auto& item : replies[i].items) {
        auto part = decode_chord_part(item.text);
        if (part && part->task_id == message.id) message.group.clear();
      }
    }
    for (auto* ending : endings)
      std::erase_if(ending->chords, [](const ChordStep& step) { return step.message.group.empty(); });
  }

  void look_at(const std::vector<Step>& steps) {
    std::vector<std::string> groups;
    for (const auto& step : steps)
      if (chords_.try_emplace(step.group()).second) groups.push_back(step.group());
    std::vector<redis::Command> commands;
    for (const auto& group : groups) {
      commands.push_back({"ZCARD", keys::chord_parts(group)});
      commands.push_back({"GET", keys::chord_size(group)});
      commands.push_back({"GET", keys::chord_size_difference(group)});
    }
    auto replies = redis_.ask_all(commands);
    auto number = [](const redis::Reply& reply) { return std::strtoll(reply.text.c_str(), nullptr, 10); };
    for (std::size_t i = 0; i < groups.size(); ++i) {
      auto& chord = chords_[groups[i]];
      chord.seen = replies[3 * i].integer;
      if (replies[3 * i + 1].is_nil()) continue;
      chord.whole = number(replies[3 * i + 1]) + number(replies[3 * i + 2]);
      chord.size = std::to_string(*chord.whole);
    }
  }

  void place(ChordStep& step) {
    auto& chord = chords_[step.message.group];
    step.seen = chord.seen++;
    step.size = chord.size;
    step.planned = true;
    step.complete = chord.whole && step.seen + 1 == *chord.whole;
    double score = step.message.group_index ? static_cast<double>(*step.message.group_index) : HUGE_VAL;
    chord.parts.emplace_back(score, encode_chord_part(step.part));
  }

  void read_parts(const std::vector<Step>& steps) {
    std::vector<Chord*> read;
    std::vector<redis::Command> commands;
    for (const auto& step : steps) {
      auto& chord = chords_[step.group()];
      if (!step.chord().complete || std::exchange(chord.is_read, true)) continue;
      read.push_back(&chord);
      commands.push_back({"ZRANGE", keys::chord_parts(step.group()), "0", "-1", "WITHSCORES"});
    }
    auto replies = redis_.ask_all(commands);
    for (std::size_t i = 0; i < read.size(); ++i) {
      const auto& items = replies[i].items;
      for (std::size_t k = 0; k + 1 < items.size(); k += 2)
        read[i]->parts.emplace_back(std::strtod(items[k + 1].text.c_str(), nullptr), items[k].text);
      std::stable_sort(read[i]->parts.begin(), read[i]->parts.end());
    }
  }

  void complete(const Step& step, const Chord& chord) {
    std::vector<std::string> parts;
    for (const auto& [score, part] : chord.parts) parts.push_back(part);
    auto outcome = join_chord(parts);
    auto& ending = *step.ending;
    TaskMessage last = step.chord().message;
    if (!outcome.error) {
      auto next = follow_chord(last, std::move(outcome.results), now_);
      next.children = Json::array();  // they are the chord's, not this task's
      return merge(ending.follow_ups, std::move(next));
    }
    auto failure = follow_chord_failure(last, now_);
    if (!failure.body_id.empty())
      ending.others.emplace_back(failure.body_id,
                                 encode_result(make_failure(failure.body_id, *outcome.error, "", now_)));
    failure.follow_ups.children = Json::array();
    merge(ending.follow_ups, std::move(failure.follow_ups));
    fail_skipped(ending, *outcome.error, now_);
  }

  redis::Client& redis_;
  Millis now_;
  std::map<std::string, Chord> chords_;
};

}  // namespace

void plan_chords(redis::Client& redis, const std::vector<Ending*>& endings, Millis now) {
  ChordPlanner(redis, now).plan(endings);
}

}  // namespace segments::celery
