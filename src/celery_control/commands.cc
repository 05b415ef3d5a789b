#include "celery_control/commands.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "celery/result.h"

namespace segments::celery {

bool Desk::is_registered(std::string_view task) const {
  return std::any_of(options.tasks.begin(), options.tasks.end(),
                     [&](const auto& one) { return one.name == task; });
}

void Desk::revoke(const std::vector<std::string>& ids) {
  for (const auto& id : ids) {
    if (id.empty()) continue;
    hooks.revoked.add(id);
    to_drop.push_back(id);  // known ones, too: they may have been queued again since
  }
}

void Desk::hear(const std::vector<std::string>& ids) {
  for (const auto& id : ids)
    if (!id.empty() && hooks.revoked.add(id)) heard.push_back(id);
}

const Json& required(const Json& arguments, std::string_view name) {
  if (const auto* value = arguments.find(name)) return *value;
  throw ArgumentFault{"missing 1 required positional argument: '" + std::string(name) + "'"};
}

std::string required_text(const Json& arguments, std::string_view name) {
  const auto& value = required(arguments, name);
  if (value.is_text() && !value.text().empty()) return value.text();
  throw ArgumentFault{"argument '" + std::string(name) + "' must be a text"};
}

std::optional<double> number_or_none(const Json& arguments, std::string_view name) {
  if (arguments.at(name).is_null()) return std::nullopt;
  if (auto number = number_in(arguments, name)) return number;
  throw ArgumentFault{"argument '" + std::string(name) + "' must be a number"};
}

namespace {

const ControlCommand* find_command(std::string_view name) {
  for (auto commands : {inspect_commands(), control_commands()})
    for (const auto& command : commands)
      if (command.name == name) return &command;
  return nullptr;
}

}  // namespace

Json run_command(Desk& desk, const ControlRequest& request) {
  const auto* command = find_command(request.method);
  if (!command) {
    log_warning("celery.control_unknown", {{"method", std::string_view(request.method).substr(0, 100)}});
    return unknown_method_reply(request.method);
  }
  try {
    return command->run(desk, request.arguments);
  } catch (const ArgumentFault& fault) {
    return bad_arguments_reply(request.method, fault.sentence);
  } catch (const Error& error) {
    return error_reply(PythonException{"ValueError", {Json(error.what())}, "builtins"}.repr());
  } catch (const std::exception& error) {
    log_error("celery.control_failed",
              {{"method", command->name}, {"detail", std::string_view(error.what())}});
    return error_reply("RuntimeError('The command failed.')");
  }
}

}  // namespace segments::celery
