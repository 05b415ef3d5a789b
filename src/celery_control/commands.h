// The commands of remote control, by name: arguments as clients send them, answers as they expect them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "celery/control_message.h"
#include "celery_control/desk.h"

namespace segments::celery {

struct ControlCommand {
  std::string_view name;
  Json (*run)(Desk&, const Json& arguments);
};
std::span<const ControlCommand> inspect_commands();
std::span<const ControlCommand> control_commands();

// The answer's payload, an error's where the command is unknown or fails. Never throws.
Json run_command(Desk&, const ControlRequest&);

// Thrown by commands: answered as Python's TypeError.
struct ArgumentFault {
  std::string sentence;  // "missing 1 required positional argument: 'task_id'"
};
// Throws ArgumentFault where it is absent.
const Json& required(const Json& arguments, std::string_view name);
std::string required_text(const Json& arguments, std::string_view name);
// Empty for an absent one and null. Throws ArgumentFault for what is no number.
std::optional<double> number_or_none(const Json& arguments, std::string_view name);

}  // namespace segments::celery
