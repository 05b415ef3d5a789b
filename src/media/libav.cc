#include "media/libav.h"

#include <dlfcn.h>

#include <string>

#include "base/error.h"

namespace segments {

namespace {

Error not_loaded() {
  const char* reason = dlerror();
  return Error(ErrorKind::internal,
               std::string("Media cannot be read here: ") + (reason ? reason : "?") + ".");
}

}  // namespace

Library::Library(const char* name, int version)
    : handle_(dlopen((std::string(name) + "." + std::to_string(version)).c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (!handle_) throw not_loaded();
}

LibraryFunction Library::operator()(const char* function) const {
  void* address = dlsym(handle_, function);
  if (!address) throw not_loaded();
  return {address};
}

const Libav& libav() {
  static const Libav loaded;
  return loaded;
}

}  // namespace segments
