#include "app/commands.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>

#include "api/handlers.h"
#include "api/routes.h"
#include "api/token.h"
#include "app/admin_move.h"
#include "app/admin_table.h"
#include "app/child_probe.h"
#include "app/dead_letters.h"
#include "app/engines.h"
#include "app/open_files.h"
#include "app/version.h"
#include "base/log.h"
#include "base/text.h"

namespace segments {
namespace {

constexpr const char* usage =
    "Segments cuts videos into segments, keeps them, and tracks how they perform.\n"
    "\n"
    "usage: segments COMMAND [FLAGS]\n"
    "\n"
    "  serve                        the HTTP server, and a worker beside it\n"
    "  worker [--concurrency N]     a worker alone, on the same data folder\n"
    "         [--beat]              that does the periodic work, too; with the queue redis also\n"
    "         [--queues A,B]        the queues that it takes tasks from,\n"
    "         [--hostname NAME]     its name among Celery's workers (%h: this host),\n"
    "         [-E]                  and that it sends Celery's task events from the start\n"
    "  token --user NAME [--expires 30d]\n"
    "                               prints a token for the API (s, m, h, d, w; without: until the secret "
    "changes)\n"
    "  admin dead-letters [list | show ID | requeue ID | drop ID]\n"
    "                               tasks that failed for good, kept for 30 days\n"
    "  admin table [show | create | verify | migrate-from OLD]\n"
    "                               the table of the store dynamodb: its definition, making it, how one "
    "that\n"
    "                               is there differs, and copying the earlier service's table into it\n"
    "  admin move --from embedded --to aws   (or --from aws --to embedded)\n"
    "                               everything that is kept, from SQLite and the data folder to DynamoDB "
    "and S3, or back,\n"
    "                               while the source serves; killed, it goes on where it was. Ends with 1 "
    "where anything\n"
    "                               differs or was written meanwhile.\n"
    "         [--verify]            only compares both, byte by byte\n"
    "         [--overwrite]         a target that holds something else is made like the source\n"
    "         [--leave-tasks]       tasks that have not ended are no fault\n"
    "         [--show-secret]       prints the secret of tokens for the cloud's settings\n"
    "  config                       the table of the settings in Markdown\n"
    "  openapi                      the OpenAPI document of the API\n"
    "  version                      this program's version\n"
    "  COMMAND --help               the flags of a command\n"
    "\n"
    "Settings come from flags (--data-dir=PATH or --data-dir PATH), the environment (SEGMENTS_DATA_DIR) and "
    "a file .env,\n"
    "in this order.\n";

// A command line that is wrong, as opposed to a setting's value.
struct WrongCall {
  std::string sentence;
};

using Flags = std::map<std::string, std::string>;

// `own` are the command's flags besides the settings, by their names without dashes; `switches` those that
// take no value, with their dashes.
Flags parse_flags(const std::vector<std::string>& arguments, const std::vector<std::string>& own,
                  const std::vector<std::string>& switches = {}) {
  Flags flags;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const auto& argument = arguments[i];
    if (std::find(switches.begin(), switches.end(), argument) != switches.end()) {
      flags[argument] = "yes";
      continue;
    }
    if (argument.size() < 3 || !argument.starts_with("--"))
      throw WrongCall{"\"" + argument + "\" is not understood."};
    auto equals = argument.find('=');
    std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    bool is_known = std::find(own.begin(), own.end(), name) != own.end();
    for_each_member<Config>(
        [&](const char* member, auto) { is_known = is_known || flag_of(member) == "--" + name; });
    if (!is_known) throw WrongCall{"There is no flag --" + name + "."};
    if (flags.contains(name)) throw WrongCall{"--" + name + " is given twice."};
    if (equals == std::string::npos && i + 1 == arguments.size())
      throw WrongCall{"--" + name + " needs a value."};
    flags[name] = equals == std::string::npos ? arguments[++i] : argument.substr(equals + 1);
  }
  return flags;
}

// Reads the configuration and sets the log up by it.
Config configure(const Flags& flags) {
  ConfigSources sources = read_sources();
  for_each_member<Config>([&](const char* member, auto) {
    if (auto found = flags.find(flag_of(member).substr(2)); found != flags.end())
      sources.flags[key_of(member)] = found->second;
  });
  Config config = read_config(sources);
  export_aws_variables(sources);
  set_log_level(config.log_level);
  if (!config.log_file.empty() && !set_log_file(config.log_file))
    throw Error(ErrorKind::unavailable, "The log file " + config.log_file + " cannot be opened.");
  return config;
}

// "30d" in milliseconds.
Millis parse_span(std::string_view text) {
  constexpr std::pair<char, Millis> units[] = {
      {'s', 1'000}, {'m', 60'000}, {'h', 3'600'000}, {'d', 86'400'000}, {'w', 604'800'000}};
  for (auto [unit, length] : units) {
    if (!text.ends_with(unit)) continue;
    auto count = parse_integer(text.substr(0, text.size() - 1));
    if (count && *count > 0 && *count <= 1'000'000) return *count * length;
  }
  throw WrongCall{"--expires is a number with s, m, h, d or w after it, as 30d."};
}

// A mistyped folder is not to be made anew, with nothing in it.
void check_data_folder(const Config& config) {
  if (!std::filesystem::is_directory(config.data_dir))
    throw Error(ErrorKind::not_found,
                "There is no data folder " + config.data_dir + "; `segments serve` makes it.");
}

int print_token(const std::vector<std::string>& arguments) {
  Flags flags = parse_flags(arguments, {"user", "expires"});
  if (!flags.contains("user")) throw WrongCall{"--user NAME is needed."};
  if (const char* fault = fault_of_user_id(flags["user"])) throw WrongCall{fault};
  Millis now = now_ms();
  std::optional<Millis> expires;
  if (flags.contains("expires")) expires = now + parse_span(flags["expires"]);
  Config config = configure(flags);
  if (config.auth_secret.empty()) check_data_folder(config);
  std::cout << mint_token(load_auth_secret(config), flags["user"], expires, now) << "\n";
  return 0;
}

int run_serve(const std::vector<std::string>& arguments) {
  Config config = configure(parse_flags(arguments, {}));
  check_may_serve(config);
  export_config(config);
  return serve(config);
}

int run_work(const std::vector<std::string>& arguments) {
  Flags flags =
      parse_flags(arguments, {"concurrency", "queues", "hostname"}, {"-E", "--task-events", "--beat"});
  if (flags.contains("concurrency")) {
    if (flags.contains("workers"))
      throw WrongCall{"--concurrency and --workers mean the same; one is enough."};
    flags["workers"] = flags["concurrency"];
  }
  Config config = configure(flags);
  if (flags.contains("concurrency") && config.workers == 0) throw WrongCall{"--concurrency is at least 1."};
  // 0 keeps `serve` from running tasks itself; this command runs some.
  if (config.workers == 0) config.workers = Config{}.workers;
  export_config(config);
  raise_open_files();
  WorkOptions options{.slots = config.workers,
                      .hostname = flags["hostname"],
                      .task_events = flags.contains("-E") || flags.contains("--task-events"),
                      .has_beat = flags.contains("--beat")};
  for (const auto& queue : split(flags["queues"], ','))
    if (!trim(queue).empty()) options.queues.emplace_back(trim(queue));
  for (const auto& queue : options.queues)
    if (const char* allowed = fault_of_celery_queue(queue))
      throw WrongCall{"--queues takes names of " + std::string(allowed) + ", comma-separated."};
  if (config.queue != QueueEngine::redis &&
      (!options.queues.empty() || !options.hostname.empty() || options.task_events))
    throw WrongCall{"--queues, --hostname and -E are for the queue redis (SEGMENTS_QUEUE)."};
  return work(config, options);
}

// `segments admin dead-letters show ID --data-dir PATH`: words first, then the settings' flags, which stay.
std::vector<std::string> take_words(std::vector<std::string>& arguments) {
  auto first_flag =
      std::find_if(arguments.begin() + 1, arguments.end(), [](const auto& a) { return a.starts_with("--"); });
  std::vector<std::string> words(arguments.begin() + 1, first_flag);
  arguments.erase(arguments.begin() + 1, first_flag);
  return words;
}

int run_table(std::vector<std::string> arguments) {
  const auto words = take_words(arguments);
  Config config = configure(parse_flags(arguments, {}));
  const std::string verb = words.empty() ? "" : words[0];
  if (verb == "migrate-from" && words.size() == 2) return migrate_table(config, words[1], std::cout);
  if (verb == "show" && words.size() == 1) return show_table(config, std::cout);
  if (verb == "create" && words.size() == 1) return make_table(config, std::cout);
  if (verb == "verify" && words.size() == 1) return verify_table(config, std::cout);
  throw WrongCall{"admin table takes show, create, verify or migrate-from OLD."};
}

Place parse_place(const Flags& flags, const std::string& name) {
  auto found = flags.find(name);
  auto place = found == flags.end() ? std::nullopt : enum_from<Place>(std::string_view(found->second));
  if (!place) throw WrongCall{"--" + name + " is embedded or aws."};
  return *place;
}

int run_move(const std::vector<std::string>& arguments) {
  const std::vector<std::string> switches{"--verify", "--overwrite", "--leave-tasks", "--show-secret"};
  Flags flags = parse_flags(arguments, {"from", "to"}, switches);
  MoveOptions options;
  options.from = parse_place(flags, "from");
  options.to = parse_place(flags, "to");
  if (options.from == options.to) throw WrongCall{"--from and --to are two different ones."};
  options.only_compares = flags.contains("--verify");
  options.overwrites = flags.contains("--overwrite");
  options.leaves_tasks = flags.contains("--leave-tasks");
  options.shows_secret = flags.contains("--show-secret");
  return move_everything(configure(flags), options, std::cout);
}

int run_dead_letters(std::vector<std::string> arguments) {
  const auto words = take_words(arguments);
  Config config = configure(parse_flags(arguments, {}));
  std::string verb = words.empty() ? "list" : words[0];
  bool is_list = verb == "list", is_known = is_list || verb == "show" || verb == "requeue" || verb == "drop";
  if (!is_known || words.size() > 2 || (words.size() == 2) == is_list)
    throw WrongCall{"dead-letters takes list, show ID, requeue ID or drop ID."};
  check_data_folder(config);
  Engines engines(config, probe_media);
  TaskQueue& queue = engines.services().queue;
  if (is_list) return list_dead_letters(queue, std::cout);
  if (verb == "show") return show_dead_letter(queue, words[1], std::cout);
  bool is_done = verb == "requeue" ? queue.requeue_dead_letter(words[1]) : queue.remove_dead_letter(words[1]);
  if (!is_done) throw not_found("dead letter", words[1]);
  std::cout << words[1] << (verb == "requeue" ? " is queued again.\n" : " is dropped.\n");
  return 0;
}

int run_admin(std::vector<std::string> arguments) {
  arguments.erase(arguments.begin());
  const std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "dead-letters") return run_dead_letters(std::move(arguments));
  if (what == "table") return run_table(std::move(arguments));
  if (what == "move") return run_move(arguments);
  throw WrongCall{"admin takes dead-letters, table or move."};
}

int print_help(const std::string& command) {
  if (command == "serve" || command == "worker") {
    std::cout << "usage: segments " << command
              << (command == "worker" ? " [--concurrency N] [--beat] [--queues A,B] [--hostname NAME] [-E]"
                                      : "")
              << " [FLAGS]\n\nEach setting by its flag, its variable and what it may be:\n\n"
              << print_settings();
  } else {
    std::cout << usage;
  }
  return 0;
}

int dispatch(const std::vector<std::string>& arguments) {
  std::string command = arguments.empty() ? "" : arguments[0];
  if (command == "media-probe" && arguments.size() == 1) return run_media_probe();
  if (command == "--help" || command == "-h" || command == "help") return print_help("");
  if (std::any_of(arguments.begin(), arguments.end(),
                  [](const auto& a) { return a == "--help" || a == "-h"; }))
    return print_help(command);
  if (command == "serve") return run_serve(arguments);
  if (command == "worker") return run_work(arguments);
  if (command == "worker-slot") return work_in_slot(configure({}));
  if (command == "token") return print_token(arguments);
  if (command == "admin") return run_admin(arguments);
  if (command == "dead-letters") return run_dead_letters(arguments);
  if (command == "openapi") return std::cout << make_openapi() << "\n", 0;
  if (command == "config") return std::cout << print_settings_markdown(), 0;
  if (command == "version" || command == "--version") return std::cout << "segments " << version << "\n", 0;
  throw WrongCall{command.empty() ? "A command is needed." : "There is no command \"" + command + "\"."};
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
  try {
    return dispatch(arguments);
  } catch (const WrongCall& call) {
    std::cerr << "segments: " << call.sentence << " See segments --help.\n";
    return 2;
  } catch (const Error& error) {
    if (error.faults().empty()) {
      std::cerr << "segments: " << error.what() << "\n";
      return error.kind() == ErrorKind::invalid ? 2 : 1;
    }
    std::cerr << "segments: the configuration is not taken:\n";
    for (const auto& fault : error.faults()) std::cerr << "  " << fault.detail << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "segments: " << error.what() << "\n";
    return 1;
  }
}

}  // namespace segments
