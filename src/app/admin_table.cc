#include "app/admin_table.h"

#include <algorithm>

#include "app/aws_account.h"
#include "base/error.h"
#include "dynamodb/migration.h"
#include "dynamodb/table_admin.h"
#include "dynamodb/table_definition.h"

namespace segments {
namespace {

// The table of the settings, for one command.
struct OpenTable {
  explicit OpenTable(const Config& config)
      : account(config), client(make_dynamodb_client(account)), table(*client, config.dynamodb_table_name) {}
  AwsAccount account;
  std::unique_ptr<aws::Client> client;
  dynamodb::Table table;
};

Error no_table(const std::string& name) {
  return Error(ErrorKind::not_found,
               "There is no table " + name + "; `segments admin table create` makes it.");
}

int tell(const std::string& name, const std::vector<dynamodb::Difference>& differences, std::ostream& out) {
  bool is_usable = true;
  for (const auto& one : differences) {
    out << (one.is_needed ? "needed: " : "advised: ") << one.sentence << "\n";
    is_usable = is_usable && !one.is_needed;
  }
  if (differences.empty())
    out << "The table " << name << " is as it has to be.\n";
  else if (is_usable)
    out << "The table " << name << " can be used; it differs in what is advised.\n";
  else
    out << "The table " << name << " cannot be used as it is.\n";
  return is_usable ? 0 : 1;
}

int tell(const dynamodb::MigrationReport& report, std::ostream& out) {
  for (const auto& one : report.missing) out << "missing: " << one << "\n";
  for (const auto& one : report.strange) out << "not copied, since it names no video: " << one << "\n";
  out << "Old items: " << report.old_items << ", telling of " << report.videos << " videos and "
      << report.segments << " segments, " << report.rebuilt << " of these rebuilt from output_s3_urls.\n"
      << "Copied by this run: " << report.copied << " items in " << report.passes << " passes.\n";
  if (report.removed_since > 0)
    out << "Removed here since they were copied: " << report.removed_since << " records.\n";
  if (report.changed > 0)
    out << report.changed
        << " items changed while they were copied. Run this again when the earlier service has "
        << "stopped: it copies what has changed.\n";
  if (!report.missing.empty() || !report.strange.empty()) {
    out << "Not everything is there.\n";
    return 1;
  }
  if (report.changed > 0) return 1;
  out << "Everything is there.\n";
  return 0;
}

}  // namespace

void require_our_table(dynamodb::Table& table) {
  auto answers = dynamodb::describe_table(table);
  if (!answers) throw no_table(table.name());
  if (std::ranges::any_of(dynamodb::differences(*answers), &dynamodb::Difference::is_needed))
    throw Error(ErrorKind::conflict, "The table " + table.name() +
                                         " is not ours; `segments admin table verify` says what differs.");
}

int show_table(const Config& config, std::ostream& out) {
  out << dynamodb::print_definition(config.dynamodb_table_name);
  return 0;
}

int make_table(const Config& config, std::ostream& out) {
  OpenTable open(config);
  auto creation = dynamodb::create_table(open.table);
  out << "The table " << open.table.name() << (creation.is_new ? " is made.\n" : " was there already.\n");
  return tell(open.table.name(), creation.differences, out);
}

int verify_table(const Config& config, std::ostream& out) {
  OpenTable open(config);
  auto answers = dynamodb::describe_table(open.table);
  if (!answers) throw no_table(open.table.name());
  return tell(open.table.name(), dynamodb::differences(*answers), out);
}

int migrate_table(const Config& config, const std::string& old_name, std::ostream& out) {
  OpenTable open(config);
  dynamodb::Table old(*open.client, old_name);
  dynamodb::Migration migration(old, open.table, [&](const std::string& said) { out << said << std::endl; });
  require_our_table(open.table);
  // Its settings are none of ours: whoever copies it needs no right to read them.
  if (!dynamodb::has_table(old)) throw Error(ErrorKind::not_found, "There is no table " + old_name + ".");
  return tell(migration.run(), out);
}

}  // namespace segments
