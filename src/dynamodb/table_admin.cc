#include "dynamodb/table_admin.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.h"
#include "describe/decode.h"
#include "dynamodb/table_definition.h"

namespace segments::dynamodb {
namespace {

constexpr Millis first_pause_ms = 50, longest_pause_ms = 2'000;
// Empty tables are ready within seconds; after that somebody should look.
constexpr Millis most_ms = 600'000;

void sleep_for(Millis ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

std::string name_request(const Table& table) {
  return "{\"TableName\":" + encode(table.name()) + "}";
}

bool is_unknown(const Table::Answer& answer) {
  return answer.error_code == "UnknownOperationException";
}

// std::nullopt where the server does not know the call.
std::optional<std::string> describe(Table& table, std::string_view operation) {
  auto answer = table.call(operation, name_request(table), Repeat::safe);
  if (is_unknown(answer)) return std::nullopt;
  if (!answer.is_done()) throw table.unexpected(operation, answer);
  return detail::serialize(answer.body);
}

// std::nullopt where there is no such table.
std::optional<std::string> ask_for_table(Table& table) {
  auto answer = table.call("DescribeTable", name_request(table), Repeat::safe);
  if (answer.error_code == "ResourceNotFoundException") return std::nullopt;
  if (!answer.is_done()) throw table.unexpected("DescribeTable", answer);
  return detail::serialize(answer.body);
}

// The table and its indexes, as far as their states are told.
bool is_ready(const TableAnswers& answers) {
  return std::ranges::none_of(differences(answers), &Difference::is_passing);
}

TableAnswers await_ready(Table& table, const std::function<void(Millis)>& wait) {
  Millis pause = first_pause_ms;
  for (Millis waited = 0; waited < most_ms; waited += pause, pause = std::min(2 * pause, longest_pause_ms)) {
    auto answers = describe_table(table);
    if (answers && is_ready(*answers)) return std::move(*answers);
    wait(pause);
  }
  throw Error(ErrorKind::unavailable, "The table " + table.name() + " did not become ready in ten minutes.");
}

// True where it was done or can never be; false where it is to be tried again in a while.
bool try_switch_on(Table& table, std::string_view operation, const std::string& request) {
  auto answer = table.call(operation, request, Repeat::safe);
  if (answer.is_done() || is_unknown(answer)) return true;
  // Just after the table was made; or another change of the kind is under way.
  if (answer.error_code == "ContinuousBackupsUnavailableException" ||
      answer.error_code == "ResourceInUseException" || answer.error_code == "LimitExceededException")
    return false;
  throw table.unexpected(operation, answer);
}

void switch_on(Table& table, std::string_view operation, const std::string& request,
               const std::function<void(Millis)>& wait) {
  Millis pause = first_pause_ms;
  for (Millis waited = 0; waited < most_ms; waited += pause, pause = std::min(2 * pause, longest_pause_ms)) {
    if (try_switch_on(table, operation, request)) return;
    wait(pause);
  }
  throw Error(ErrorKind::unavailable,
              "AWS did not take " + std::string(operation) + " for the table " + table.name() + ".");
}

}  // namespace

bool has_table(Table& table) {
  return ask_for_table(table).has_value();
}

std::optional<TableAnswers> describe_table(Table& table) {
  auto answer = ask_for_table(table);
  if (!answer) return std::nullopt;
  return TableAnswers{.table = std::move(*answer),
                      .expiry = describe(table, "DescribeTimeToLive"),
                      .backups = describe(table, "DescribeContinuousBackups")};
}

Creation create_table(Table& table, const std::function<void(Millis)>& wait) {
  const auto& pause = wait ? wait : sleep_for;
  auto answer = table.call("CreateTable", create_table_request(table.name()), Repeat::safe);
  if (!answer.is_done() && answer.error_code != "ResourceInUseException")
    throw table.unexpected("CreateTable", answer);
  Creation creation{.is_new = answer.is_done() || answer.may_have_run_before};
  auto answers = await_ready(table, pause);
  creation.differences = differences(answers);
  if (std::ranges::any_of(creation.differences, &Difference::is_needed)) return creation;
  if (answers.expiry && !is_expiry_on(*answers.expiry))
    switch_on(table, "UpdateTimeToLive", expiry_request(table.name()), pause);
  if (answers.backups && !are_backups_on(*answers.backups))
    switch_on(table, "UpdateContinuousBackups", backups_request(table.name()), pause);
  creation.differences = differences(*describe_table(table));
  return creation;
}

}  // namespace segments::dynamodb
