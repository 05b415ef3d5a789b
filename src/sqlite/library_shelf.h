// The libraries that lists were asked of lately, as many as their bound holds. Any thread may call; lists of
// one user's library wait for each other.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "sqlite/library.h"

namespace segments::sqlite {

class LibraryShelf {
 public:
  explicit LibraryShelf(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  class Lent {
   public:
    // The library as the connection's snapshot sees the user's segments. The snapshot must have been begun
    // since the library was lent. nullptr: it is too large to be kept.
    Library* bring_up_to(Connection& snapshot, std::int64_t user_ref);

    // Others may have it from now on.
    void give_back() { lock_.unlock(); }

   private:
    friend LibraryShelf;
    struct Book;
    Lent(LibraryShelf& shelf, std::shared_ptr<Book> book);
    LibraryShelf& shelf_;
    std::shared_ptr<Book> book_;
    std::unique_lock<std::mutex> lock_;
  };
  Lent lend(const std::string& user_id);
  std::size_t bytes();

 private:
  using Book = Lent::Book;
  void note_size(Book&, std::size_t bytes);  // under the mutex

  const std::size_t most_bytes_;
  std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::list<std::shared_ptr<Book>> books_;  // used last comes first
  std::unordered_map<std::string, std::list<std::shared_ptr<Book>>::iterator> by_user_;
};

}  // namespace segments::sqlite
