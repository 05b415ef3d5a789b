#include "celery/signature.h"

#include <algorithm>
#include <cmath>

#include "celery/iso_time.h"
#include "celery/keys.h"

namespace segments::celery {
namespace {

constexpr std::size_t max_follow_up_bytes = 256
                                            << 20;  // of all messages: a chord's body is in each of its tasks
constexpr int max_upgrades = 20;                    // groups within a chain that become chords in each other

// Thrown and caught in this file alone: this signature is not published.
struct UnusableSignature {
  std::string sentence;
};

enum class Shape { task, chain, group, chord };

Shape shape_of(const Json& signature) {
  auto type = signature.text_of("subtask_type"), task = signature.text_of("task");
  if (type == "chain" || task == "celery.chain") return Shape::chain;
  if (type == "group" || task == "celery.group") return Shape::group;
  if (type == "chord" || task == "celery.chord") return Shape::chord;
  return Shape::task;
}

struct Weight {
  std::size_t bytes = 0;
  int depth = 0;
};
Weight weigh(const Json& json) {
  Weight weight{json.text().size() + 8, 0};
  auto add = [&](const Json& part) {
    auto inner = weigh(part);
    weight.bytes += inner.bytes;
    weight.depth = std::max(weight.depth, inner.depth + 1);
  };
  for (const auto& item : json.items()) add(item);
  for (const auto& [name, value] : json.members()) {
    weight.bytes += name.size() + 4;
    add(value);
  }
  return weight;
}

// A signature's list of tasks: an array, or for a chord's header also a group.
std::vector<Json> tasks_of(const Json& tasks) {
  if (tasks.is_array()) return tasks.items();
  return tasks.at("kwargs").at("tasks").items();
}

// Groups within a group are one group.
void unroll(const std::vector<Json>& tasks, std::vector<Json>& out, int depth = 0) {
  if (depth > max_json_depth) return;
  for (const auto& task : tasks) {
    if (shape_of(task) == Shape::group)
      unroll(tasks_of(task), out, depth + 1);
    else
      out.push_back(task);
  }
}

Json& options_of(Json& signature) {
  if (!signature.at("options").is_object()) signature.put("options", Json::object());
  for (auto& [name, value] : signature.members())
    if (name == "options") return value;
  throw UnusableSignature{"A signature has no options."};  // not reached: it was just put there
}

// More of a list option, which may stand as a single signature.
void extend_option(Json& signature, const char* option, const Json& more) {
  if (!more.is_true()) return;
  auto& options = options_of(signature);
  auto list = Json::array();
  for (const Json* part : {&options.at(option), &more}) {
    if (part->is_array())
      list.items().insert(list.items().end(), part->items().begin(), part->items().end());
    else if (part->is_object())
      list.items().push_back(*part);
  }
  options.put(option, std::move(list));
}

void prepend_args(Json& signature, const std::vector<Json>& partial) {
  if (partial.empty() || signature.at("immutable").is_true()) return;
  auto args = partial;
  const auto& own = signature.at("args").items();
  args.insert(args.end(), own.begin(), own.end());
  signature.put("args", Json::array(std::move(args)));
}

// How many completions a chord's header task stands for.
std::int64_t chord_weight(const Json& signature) {
  std::int64_t sum = 0;
  switch (shape_of(signature)) {
    case Shape::task:
      return 1;
    case Shape::chord:
      return chord_weight(signature.at("kwargs").at("body"));
    case Shape::group:
      for (const auto& task : tasks_of(signature)) sum += chord_weight(task);
      return sum;
    case Shape::chain: {
      const auto& steps = signature.at("kwargs").at("tasks").items();
      for (auto step = steps.rbegin(); step != steps.rend(); ++step)
        if (auto size = chord_weight(*step)) return size;
    }
  }
  return 0;
}

std::optional<Millis> time_option(const Json& options, const char* name, Millis now) {
  const auto& value = options.at(name);
  if (value.is_null()) return std::nullopt;
  if (auto seconds = value.real(); seconds && std::abs(*seconds) < 1e11)
    return now + static_cast<Millis>(std::llround(*seconds * 1000));
  auto time = value.is_text() ? parse_iso_time(value.text(), std::string_view(name) == "eta") : std::nullopt;
  if (!time) throw UnusableSignature{std::string("A signature's ") + name + " is no time."};
  return time;
}

std::optional<double> seconds_option(const Json& options, const char* name) {
  auto seconds = options.at(name).real();
  return seconds && *seconds > 0 && *seconds < 1e9 ? seconds : std::nullopt;
}

// The signature whose end is this one's: of a chain the last step, of a chord the body; else nullptr.
const Json* end_of(const Json& signature) {
  const auto shape = shape_of(signature);
  const auto& steps = signature.at("kwargs").at("tasks").items();
  if (shape == Shape::chain && !steps.empty()) return &steps.back();
  const auto& body = signature.at("kwargs").at("body");
  return shape == Shape::chord && body.is_object() ? &body : nullptr;
}

// An option of a signature's end, or where that has none its own. A chord's own task_id is its group's,
// mostly.
const Json& option_at_end(const Json& signature, const char* name) {
  if (const auto* end = end_of(signature))
    if (const auto& value = option_at_end(*end, name); !value.is_null()) return value;
  return signature.at("options").at(name);
}

std::string id_of(const Json& signature) {
  const auto& id = option_at_end(signature, "task_id");
  return id.is_text() ? id.text() : "";
}

class Publisher {
 public:
  Publisher(const TaskMessage& parent, Millis now) : parent_(parent), now_(now) {}

  // One signature in all its parts, or with a fault none of them.
  void publish(const Json& signature, const std::vector<Json>& partial, const Json& chain = {}) {
    auto messages = out_.messages.size(), sizes = out_.chord_sizes.size(), children = out_.children.size();
    try {
      auto copy = signature;
      if (chain.is_true()) options_of(copy).put("chain", chain);
      expand(std::move(copy), partial, true);
    } catch (const UnusableSignature& refusal) {
      out_.faults.push_back(refusal.sentence);
      out_.messages.resize(messages);
      out_.chord_sizes.resize(sizes);
      out_.children.resize(children);
    }
  }

  FollowUps& out() { return out_; }

 private:
  void expand(Json signature, const std::vector<Json>& partial, bool is_child) {
    if (!signature.is_object()) throw UnusableSignature{"A signature is no object."};
    switch (shape_of(signature)) {
      case Shape::task:
        return expand_task(std::move(signature), partial, is_child);
      case Shape::chain:
        return expand_chain(signature, partial, is_child);
      case Shape::group:
        return expand_group(signature, partial, is_child);
      case Shape::chord:
        return expand_chord(signature, partial, is_child);
    }
  }

  void expand_task(Json signature, const std::vector<Json>& partial, bool is_child) {
    prepend_args(signature, partial);
    auto message = make_message(signature);
    spend(message);
    if (is_child) out_.children.push_back({message.id, parent_.id});
    out_.messages.push_back(std::move(message));
  }

  void spend(const TaskMessage& message) {
    auto embed = weigh(message.embed), args = weigh(message.args), kwargs = weigh(message.kwargs);
    bytes_ += embed.bytes + args.bytes + kwargs.bytes;
    if (out_.messages.size() >= max_follow_ups || bytes_ > max_follow_up_bytes)
      throw UnusableSignature{"What the task asks to be published is too much."};
    // One level more in the body.
    if (std::max({embed.depth, args.depth, kwargs.depth}) + 2 > max_json_depth)
      throw UnusableSignature{"What the task asks to be published is nested too deeply."};
  }

  TaskMessage make_message(const Json& signature) const {
    const auto& options = signature.at("options");
    TaskMessage message;
    message.task = signature.text_of("task");
    if (message.task.empty()) throw UnusableSignature{"A signature names no task."};
    message.id = options.text_of("task_id");
    if (message.id.empty()) message.id = make_uuid();
    if (signature.at("args").is_array()) message.args = signature.at("args");
    if (signature.at("kwargs").is_object()) message.kwargs = signature.at("kwargs");
    auto list = [](const Json& value) { return value.is_object() ? Json::array({value}) : value; };
    message.embed = Json::object({{"callbacks", list(options.at("link"))},
                                  {"errbacks", list(options.at("link_error"))},
                                  {"chain", options.at("chain")},
                                  {"chord", options.at("chord")}});
    message.shadow = options.text_of("shadow");
    message.eta = time_option(options, "eta", now_);
    if (const auto countdown = time_option(options, "countdown", now_)) message.eta = countdown;
    message.expires = time_option(options, "expires", now_);
    message.group = options.text_of("group_id");
    message.group_index = options.at("group_index").integer();
    message.time_limit = {seconds_option(options, "time_limit"), seconds_option(options, "soft_time_limit")};
    message.root_id = parent_.root();
    message.parent_id = parent_.id;
    message.origin = parent_.origin;
    message.ignore_result = options.at("ignore_result").is_true();
    message.priority =
        static_cast<int>(std::clamp<std::int64_t>(options.at("priority").integer().value_or(0), 0, 9));
    message.reply_to = options.at("reply_to").is_text() ? options.text_of("reply_to") : parent_.reply_to;
    address(message, options);
    message.envelope.headers = options.at("headers").is_object() ? options.at("headers") : Json::object();
    stamp(message.envelope.headers, options);
    return message;
  }

  // As Celery's producer: an exchange counts with a routing key alone, and a routing key with an exchange.
  static void address(TaskMessage& message, const Json& options) {
    message.exchange = options.text_of("exchange");
    message.routing_key = options.text_of("routing_key");
    if (!message.exchange.empty() && !message.routing_key.empty()) return;
    message.exchange.clear();
    message.routing_key = keys::default_queue;
    for (auto name : {options.at("queue").text_of("name"), options.text_of("queue")})
      if (!name.empty()) message.routing_key = name;
  }

  // The values stand among the options, under the names that stamped_headers lists.
  static void stamp(Json& headers, const Json& options) {
    const auto& names = options.at("stamped_headers");
    if (!names.is_true()) return;
    auto stamps = options.at("stamps").is_object() ? options.at("stamps") : Json::object();
    for (const auto& name : names.items())
      if (const auto* value = options.find(name.text()); value && name.is_text())
        stamps.put(name.text(), *value);
    headers.put("stamped_headers", names);
    headers.put("stamps", std::move(stamps));
  }

  void expand_chain(const Json& signature, const std::vector<Json>& partial, bool is_child) {
    std::vector<Json> steps;
    splice(signature.at("kwargs").at("tasks").items(), steps, 0);
    if (steps.empty()) throw UnusableSignature{"A chain has no tasks."};
    const auto& options = signature.at("options");
    auto first_args = partial;
    if (const auto& own = signature.at("args"); own.is_array() && !signature.at("immutable").is_true())
      first_args.insert(first_args.end(), own.items().begin(), own.items().end());
    for (auto& step : steps) extend_option(step, "link_error", options.at("link_error"));
    extend_option(steps.back(), "link", options.at("link"));
    for (const char* name : {"group_id", "group_index", "chord"})
      if (const auto* value = options.find(name); value && !value->is_null())
        options_of(steps.back()).put(name, *value);
    // What was frozen by its sender has its id already, and somebody waits for that.
    if (id_of(steps.back()).empty()) options_of(steps.back()).put("task_id", options.at("task_id"));
    auto reversed = upgrade_groups(std::move(steps));
    for (auto& step : reversed)
      if (shape_of(step) != Shape::group && id_of(step).empty()) options_of(step).put("task_id", make_uuid());
    auto first = std::move(reversed.back());
    reversed.pop_back();
    // What comes after this whole chain stands before it in the reversed list.
    auto rest = options.at("chain").is_array() ? options.at("chain") : Json::array();
    rest.items().insert(rest.items().end(), reversed.begin(), reversed.end());
    if (rest.is_true()) options_of(first).put("chain", std::move(rest));
    expand(std::move(first), first_args, is_child);
  }

  // Chains within a chain are one chain. What belongs to the end of an inner one goes to its last step.
  void splice(const std::vector<Json>& tasks, std::vector<Json>& out, int depth) {
    if (depth > max_json_depth) throw UnusableSignature{"A chain is nested too deeply."};
    for (const auto& task : tasks) {
      if (!task.is_object()) throw UnusableSignature{"A chain has something else than signatures in it."};
      if (shape_of(task) != Shape::chain) {
        out.push_back(task);
        continue;
      }
      auto before = out.size();
      splice(task.at("kwargs").at("tasks").items(), out, depth + 1);
      if (out.size() == before) continue;
      extend_option(out.back(), "link", task.at("options").at("link"));
      for (auto step = before; step < out.size(); ++step)
        extend_option(out[step], "link_error", task.at("options").at("link_error"));
    }
  }

  // The steps in reverse; a group that has a step after it becomes a chord with that step as its body.
  static std::vector<Json> upgrade_groups(std::vector<Json> steps) {
    std::vector<Json> reversed;
    int upgrades = 0;
    while (!steps.empty()) {
      auto step = std::move(steps.back());
      steps.pop_back();
      if (shape_of(step) == Shape::group && !reversed.empty()) {
        if (++upgrades > max_upgrades) throw UnusableSignature{"A chain has too many groups in it."};
        step = make_chord(std::move(step), std::move(reversed.back()));
        reversed.pop_back();
      }
      reversed.push_back(std::move(step));
    }
    return reversed;
  }

  static Json make_chord(Json group, Json body) {
    return Json::object({
        {"task", "celery.chord"},
        {"args", Json::array()},
        {"kwargs",
         Json::object({{"kwargs", Json::object()}, {"header", std::move(group)}, {"body", std::move(body)}})},
        {"options", Json::object()},
        {"subtask_type", "chord"},
        {"immutable", false},
    });
  }

  void expand_group(const Json& signature, const std::vector<Json>& partial, bool is_child) {
    std::vector<Json> tasks;
    unroll(tasks_of(signature), tasks);
    const auto& options = signature.at("options");
    // As the last step of a chain in a chord's header its tasks are the chord's.
    bool is_part = options.at("chord").is_true() && !options.text_of("group_id").empty();
    auto id = is_part ? options.text_of("group_id") : options.text_of("task_id");
    if (id.empty()) id = make_uuid();
    for (auto& task : tasks) {
      auto& own = options_of(task);
      for (const auto& [name, value] : options.members())
        if (name != "task_id" && !value.is_null()) own.put(name, value);
      own.put("group_id", id);
      expand(std::move(task), partial, is_child);
    }
  }

  void expand_chord(const Json& signature, const std::vector<Json>& partial, bool is_child) {
    const auto& kwargs = signature.at("kwargs");
    std::vector<Json> header;
    unroll(tasks_of(kwargs.at("header")), header);
    auto body = kwargs.at("body");
    if (!body.is_object()) throw UnusableSignature{"A chord has no body."};
    auto& body_options = options_of(body);
    const auto& options = signature.at("options");
    auto id_of_body = id_of(body);
    for (const auto& [name, value] : options.members())
      if (name != "link" && name != "link_error" && name != "task_id" && !value.is_null())
        body_options.put(name, value);
    if (id_of_body.empty()) id_of_body = options.text_of("task_id");
    if (id_of_body.empty()) id_of_body = make_uuid();
    if (id_of(body).empty()) body_options.put("task_id", id_of_body);
    extend_option(body, "link", options.at("link"));
    extend_option(body, "link_error", options.at("link_error"));
    if (header.empty()) return expand(std::move(body), {Json::array()}, is_child);

    auto id = kwargs.at("header").at("options").text_of("task_id");
    if (id.empty()) id = make_uuid();
    auto args = partial;
    if (const auto& own = signature.at("args"); own.is_array() && !signature.at("immutable").is_true())
      args.insert(args.end(), own.items().begin(), own.items().end());
    ChordSize size{id, 0};
    std::int64_t index = 0;
    for (auto& task : header) {
      size.size += chord_weight(task);
      auto& own = options_of(task);
      own.put("group_id", id);
      own.put("group_index", index++);
      own.put("chord", body);
      expand(std::move(task), args, is_child);
    }
    out_.chord_sizes.push_back(std::move(size));
  }

  const TaskMessage& parent_;
  Millis now_;
  FollowUps out_;
  std::size_t bytes_ = 0;
};

void publish_list(Publisher& publisher, const Json& list, const char* what, const std::vector<Json>& args) {
  if (!list.is_null() && !list.is_array() && !list.is_object()) {
    publisher.out().faults.push_back(std::string("The task's ") + what + " are no signatures.");
    return;
  }
  if (list.is_object()) publisher.publish(list, args);
  for (const auto& signature : list.items()) publisher.publish(signature, args);
}

// A task that will not run: it fails as its predecessor did.
void skip(const Json& signature, const TaskMessage& parent, FollowUps& out) {
  SkippedTask skipped;
  auto& message = skipped.message;
  message.task = signature.text_of("task");
  message.id = id_of(signature);
  message.group = option_at_end(signature, "group_id").text();
  message.group_index = option_at_end(signature, "group_index").integer();
  message.root_id = parent.root();
  message.parent_id = parent.id;
  message.embed.put("chord", option_at_end(signature, "chord"));
  if (!message.id.empty()) out.skipped.push_back(std::move(skipped));
}

}  // namespace

FollowUps follow_success(const TaskMessage& message, const Json& result, Millis now) {
  Publisher publisher(message, now);
  publish_list(publisher, message.embed.at("callbacks"), "callbacks", {result});
  auto chain = message.embed.at("chain");
  if (chain.is_array() && chain.is_true()) {
    auto next = std::move(chain.items().back());
    chain.items().pop_back();
    publisher.publish(next, {result}, chain);
  } else if (chain.is_true()) {
    publisher.out().faults.push_back("The task's chain is no list.");
  }
  return std::move(publisher.out());
}

FollowUps follow_failure(const TaskMessage& message, Millis now) {
  Publisher publisher(message, now);
  publish_list(publisher, message.embed.at("errbacks"), "errbacks", {Json(message.id)});
  // The last in the list is the next that would have run.
  const auto& chain = message.embed.at("chain").items();
  for (auto step = chain.rbegin(); step != chain.rend(); ++step) skip(*step, message, publisher.out());
  publisher.out().children.clear();
  return std::move(publisher.out());
}

FollowUps follow_chord(const TaskMessage& last_part, std::vector<Json> results, Millis now) {
  Publisher publisher(last_part, now);
  publisher.publish(last_part.embed.at("chord"), {Json::array(std::move(results))});
  return std::move(publisher.out());
}

ChordFailure follow_chord_failure(const TaskMessage& last_part, Millis now) {
  const auto& body = last_part.embed.at("chord");
  Publisher publisher(last_part, now);
  publish_list(publisher, body.at("options").at("link_error"), "errbacks", {Json(id_of(body))});
  skip(body, last_part, publisher.out());
  const auto& chain = body.at("options").at("chain").items();
  for (auto step = chain.rbegin(); step != chain.rend(); ++step) skip(*step, last_part, publisher.out());
  publisher.out().children.clear();
  return {id_of(body), std::move(publisher.out())};
}

}  // namespace segments::celery
