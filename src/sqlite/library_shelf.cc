#include "sqlite/library_shelf.h"

#include "sqlite/change_log.h"

namespace segments::sqlite {

namespace {

constexpr std::size_t bytes_beside_library = 1'024;

}  // namespace

struct LibraryShelf::Lent::Book {
  std::string user_id;
  std::mutex mutex;
  Library library;
  bool is_loaded = false;
  bool is_too_large = false;
  std::int64_t position = 0;  // in the log of changes, of what the library knows
  std::size_t bytes = 0;      // as the shelf counts it; under the shelf's mutex
  bool is_on_shelf = true;    // under the shelf's mutex
};

LibraryShelf::Lent::Lent(LibraryShelf& shelf, std::shared_ptr<Book> book)
    : shelf_(shelf), book_(std::move(book)), lock_(book_->mutex) {}

Library* LibraryShelf::Lent::bring_up_to(Connection& snapshot, std::int64_t user_ref) {
  Book& book = *book_;
  if (book.is_too_large) return nullptr;
  const auto newest = newest_change(snapshot);
  if (book.is_loaded && newest == book.position) return &book.library;
  // What breaks off here leaves a library that is read anew.
  const bool was_loaded = std::exchange(book.is_loaded, false);
  auto changed = was_loaded ? list_changes(snapshot, user_ref, book.position) : std::nullopt;
  if (changed)
    book.library.refresh(snapshot, user_ref, std::move(*changed));
  else if (!book.library.load(snapshot, user_ref, shelf_.most_bytes_))
    book.is_too_large = true;
  book.position = newest;
  book.is_loaded = true;
  const auto bytes = book.library.bytes();
  {
    std::lock_guard lock(shelf_.mutex_);
    shelf_.note_size(book, bytes);
  }
  // It grew, perhaps by what is stale in it: the next time it is read anew, or found too large.
  if (bytes > shelf_.most_bytes_) book.is_loaded = false;
  return book.is_too_large ? nullptr : &book.library;
}

LibraryShelf::Lent LibraryShelf::lend(const std::string& user_id) {
  std::shared_ptr<Book> book;
  {
    std::lock_guard lock(mutex_);
    if (auto found = by_user_.find(user_id); found != by_user_.end()) {
      books_.splice(books_.begin(), books_, found->second);
    } else {
      books_.push_front(std::make_shared<Book>());
      books_.front()->user_id = user_id;
      by_user_[user_id] = books_.begin();
      note_size(*books_.front(), 0);
    }
    book = books_.front();
  }
  return Lent(*this, std::move(book));
}

std::size_t LibraryShelf::bytes() {
  std::lock_guard lock(mutex_);
  return bytes_;
}

void LibraryShelf::note_size(Book& book, std::size_t bytes) {
  if (!book.is_on_shelf) return;
  bytes += bytes_beside_library;
  bytes_ += bytes - book.bytes;
  book.bytes = bytes;
  while (bytes_ > most_bytes_ && books_.size() > 1) {
    auto& last = *books_.back();
    bytes_ -= last.bytes;
    last.is_on_shelf = false;
    by_user_.erase(last.user_id);
    books_.pop_back();
  }
}

}  // namespace segments::sqlite
