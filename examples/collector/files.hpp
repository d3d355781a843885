// Files and folders by descriptor: no link that somebody planted is followed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace collector {

// What fails is a std::system_error that names the path. Threads: any. Blocks: for the disk.
class Folder {
 public:
  // The folder itself may be a link: whoever started the program named it.
  explicit Folder(const std::string& path);
  ~Folder();
  Folder(Folder&& other) noexcept;
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  // Makes it the user's alone. What another user made is refused: he could put other files there.
  void keep_to_owner() const;

  // What another user owns, or others can write into, is refused: they could put files there, and move ours away.
  void refuse_strangers() const;

  // A folder in it that is no link, made (and synced) where it is missing, and kept to its owner.
  Folder made(const std::string& name) const;
  // Nothing when it is missing, or no folder.
  std::optional<Folder> found(const std::string& name) const;

  // The file appears whole or not at all, for its owner alone, in place of whatever has the name. `unfinished` is its
  // name until then, and is gone when it fails.
  void write(const std::string& name, const std::string& unfinished, std::string_view bytes) const;
  // Nothing when there is no such file, it is a link, or longer than `bytes_max`.
  std::optional<std::string> read(const std::string& name, std::size_t bytes_max) const;
  // Not there is removed, too.
  void remove(const std::string& name) const;
  // A folder that is not empty stays.
  void remove_empty(const std::string& name) const;

 private:
  Folder(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  [[noreturn]] void fail(const char* doing, const std::string& name) const;
  void sync() const;

  std::string path_;
  int descriptor_ = -1;
};

}  // namespace collector
