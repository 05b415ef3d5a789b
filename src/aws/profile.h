// The files that AWS's programs share: ~/.aws/credentials and ~/.aws/config.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "aws/environment.h"

namespace segments::aws {

// By section name as it stands in brackets ("default", "profile dev"); names and keys without blanks around.
using IniFile = std::map<std::string, std::map<std::string, std::string>>;

// Lines that are neither section, setting nor comment are passed over, and so are indented ones (nested
// settings). A section or key that stands twice: the later counts.
IniFile parse_ini(std::string_view);

// One profile, out of both files.
struct Profile {
  std::string name;
  std::map<std::string, std::string> credentials, config;  // of each file

  // Of the credentials file, else of the config file; empty values count as none.
  std::optional<std::string> find(const std::string& key) const;
};

// Of AWS_PROFILE, else "default"; from AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, else beneath HOME.
// Files that are not there are empty. std::nullopt where there is no such profile; throws Error{invalid}
// where AWS_PROFILE names one that is not there, Error{unavailable} where a file cannot be read.
std::optional<Profile> find_profile(const Environment&);

}  // namespace segments::aws
