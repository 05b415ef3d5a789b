#include "move/objects.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/error.h"
#include "base/text.h"

namespace segments::move {
namespace {

constexpr std::int64_t chunk_bytes = 8 << 20;
constexpr int most_attempts = 4;
constexpr std::size_t page_of_sums = 1'000;

bool is_like(const ObjectInfo& one, const ObjectInfo& other) {
  return one.size == other.size && one.content_type == other.content_type;
}

// All bytes of the object as it is described; false where it is gone or became another meanwhile.
bool read_all(ObjectStore& store, const ObjectInfo& info, const std::function<void(std::string_view)>& take) {
  try {
    for (std::int64_t at = 0; at < info.size;) {
      const auto bytes = store.read_object(info.key, at, std::min(chunk_bytes, info.size - at));
      if (bytes.empty()) return false;
      take(bytes);
      at += std::ssize(bytes);
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return false;
  }
  auto now = store.find_object(info.key);
  return now && now->etag == info.etag && now->size == info.size;
}

// The digest of what was read; "" where that is no whole object, and nothing was put then.
std::string stream(ObjectStore& source, ObjectStore& target, const ObjectInfo& info) {
  Digest digest(Digest::Kind::sha256);
  auto writer = target.write_object(info.key, info.content_type);
  const bool is_whole = read_all(source, info, [&](std::string_view bytes) {
    digest.add(bytes);
    writer->write(bytes);
  });
  if (!is_whole) return "";
  writer->commit();
  return digest.finish();
}

CopyOutcome copy_anew(ObjectStore& source, ObjectStore& target, const ObjectInfo& listed, bool verified) {
  bool was_otherwise = false;
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    auto info = source.find_object(listed.key);
    if (!info) return {};  // it was removed since
    if (auto there = target.find_object(listed.key); there && is_like(*info, *there)) {
      if (verified) return {};
      const auto digest = digest_of(source, *info);
      if (!digest.empty() && digest == digest_of(target, *there)) return {};
    }
    const auto digest = stream(source, target, *info);
    if (digest.empty()) continue;
    auto there = target.find_object(listed.key);
    if (there && is_like(*info, *there) && digest_of(target, *there) == digest)
      return {.copied = info->size, .is_copied = true};
    target.remove_object(listed.key);  // nobody is to take it for whole
    was_otherwise = true;
  }
  return {.fault = "The object " + listed.key +
                   (was_otherwise ? " reads back otherwise than it was written."
                                  : " changed again and again while it was read.")};
}

}  // namespace

bool is_folder_marker(const ObjectInfo& info) {
  return info.size == 0 && info.key.ends_with('/');
}

void for_each_page(ObjectStore& store, std::string after, std::size_t page_size,
                   const std::function<bool(const std::vector<ObjectInfo>&)>& take) {
  for (;;) {
    auto page = store.list_objects("", after, page_size);
    if (page.empty()) return;
    after = page.back().key;
    std::erase_if(page, is_folder_marker);
    if (!page.empty() && !take(page)) return;
  }
}

void add_to_sums(ObjectSums& sums, const ObjectInfo& info) {
  // No key has a line break.
  const std::string text = info.key + "\n" + std::to_string(info.size);
  add_to_sum(sums.contents, text);
  add_to_sum(sums.versions, text + "\n" + info.etag);
  sums.bytes += info.size;
}

ObjectSums sum_objects(ObjectStore& store, const std::function<void(const ObjectSums&)>& tell) {
  ObjectSums sums;
  for_each_page(store, "", page_of_sums, [&](const std::vector<ObjectInfo>& page) {
    for (const auto& info : page) add_to_sums(sums, info);
    tell(sums);
    return true;
  });
  return sums;
}

std::string digest_of(ObjectStore& store, const ObjectInfo& info) {
  Digest digest(Digest::Kind::sha256);
  if (!read_all(store, info, [&](std::string_view bytes) { digest.add(bytes); })) return "";
  return digest.finish();
}

CopyOutcome copy_object(ObjectStore& source, ObjectStore& target, const ObjectInfo& listed, bool verified) {
  try {
    return copy_anew(source, target, listed, verified);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid && error.kind() != ErrorKind::too_large) throw;
    return {.fault = "The object " + clean_utf8(listed.key) + " cannot be kept: " + error.what()};
  }
}

std::string difference_of(ObjectStore& source, ObjectStore& target, const std::string& key, bool reads) {
  const std::string name = "the object " + clean_utf8(key);
  try {
    auto info = source.find_object(key), there = target.find_object(key);
    if (!info) return there ? "only in the target: " + name : "";
    if (!there) return "missing: " + name;
    if (info->size != there->size)
      return "differs: " + name + " has " + std::to_string(info->size) + " bytes, in the target " +
             std::to_string(there->size);
    if (info->content_type != there->content_type)
      return "differs: " + name + " is " + info->content_type + ", in the target " + there->content_type;
    if (reads && digest_of(source, *info) != digest_of(target, *there))
      return "differs: " + name + " has other bytes in the target";
    return "";
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid) throw;
    return "missing: " + name + ", which cannot be kept: " + error.what();
  }
}

}  // namespace segments::move
