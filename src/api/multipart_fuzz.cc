// Multipart uploads from outside: any bytes as the bodies that end one, and any order of parts, completions
// and aborts against a real folder. What is completed is exactly the parts in the order named; nothing else
// ever appears.
#include <cstdlib>
#include <filesystem>
#include <map>

#include "api/uploads.h"
#include "describe/decode.h"
#include "objects/directory.h"

namespace {

using namespace segments;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class T>
void decode_body(std::string_view text) {
  try {
    decode<T>(text);
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::malformed || !error.faults().empty());
  }
}

std::string upload_part(DirectoryObjectStore& store, const std::string& id, int number,
                        std::string_view bytes) {
  auto writer = store.write_part("uploads/v/a.mp4", id, number);
  writer->write(bytes);
  return writer->commit().etag;
}

// Each byte is an operation; the text itself is what the parts hold.
void drive(std::string_view text) {
  static const std::string root = [] {
    std::string path =
        (std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/multipart-fuzz-XXXXXX");
    require(mkdtemp(path.data()) != nullptr);
    return path;
  }();
  static DirectoryObjectStore store(root, "secret");
  const std::string key = "uploads/v/a.mp4";
  store.remove_object(key);
  std::string id = store.begin_upload(key, "video/mp4");
  std::map<int, std::pair<std::string, std::string>> parts;  // number: ETag, bytes
  std::vector<UploadPart> named;
  std::string expected;
  for (std::size_t i = 0; i < text.size() && i < 24; ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    int number = c % 5;
    try {
      if (c < 120) {
        std::string bytes(text.substr(0, c % 50));
        std::string etag = upload_part(store, id, number, bytes);
        require(number >= 1);
        parts[number] = {etag, bytes};
      } else if (c < 220) {
        named.push_back(
            {number, parts.contains(number) && c % 7 ? parts[number].first : std::string(text.substr(i, 9))});
        expected += parts.contains(number) ? parts[number].second : "";
      } else if (c < 250) {
        auto info = store.complete_upload(key, id, named);
        auto read = store.read_object(key, 0, 1'000'000);
        require(read == expected && info.size == static_cast<std::int64_t>(expected.size()));
        require(store.complete_upload(key, id, named).etag == info.etag);
        return;
      } else {
        store.abort_upload(key, id);
        require(!store.find_object(key));
        return;
      }
    } catch (const Error& error) {
      require(error.kind() == ErrorKind::invalid || error.kind() == ErrorKind::not_found);
      require(!store.find_object(key));
    }
  }
  store.abort_upload(key, id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  decode_body<FinalizeUpload>(text);
  decode_body<CompleteUpload>(text);
  decode_body<AbortUpload>(text);
  decode_body<PresignPart>(text);
  drive(text);
  try {
    static DirectoryObjectStore store("/tmp/multipart-fuzz-ids", "secret");
    store.abort_upload("uploads/v/a.mp4", text);  // an id from outside names no folder outside
  } catch (const Error&) {
  }
  return 0;
}
