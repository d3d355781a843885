// Runs the fuzz targets over files, without libFuzzer: what they once found stays found, with any compiler.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

using Target = int (*)(const std::uint8_t* data, std::size_t size);
#define YUKHA_FUZZ_TARGET(name) extern "C" int yukha_fuzz_##name(const std::uint8_t* data, std::size_t size);
#include "targets.inc"
#undef YUKHA_FUZZ_TARGET

namespace {

const std::pair<const char*, Target> targets[] = {
#define YUKHA_FUZZ_TARGET(name) {#name, yukha_fuzz_##name},
#include "targets.inc"
#undef YUKHA_FUZZ_TARGET
};

// Each name is told before its file is run: a promise that breaks ends the program.
int run_folder(const char* name, Target target, const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  target(nullptr, 0);
  for (const auto& path : files) {
    std::printf("%s: %s\n", name, path.filename().string().c_str());
    std::fflush(stdout);
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    target(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  if (files.empty()) std::printf("%s: no files in %s\n", name, folder.string().c_str());
  return files.empty() ? 1 : 0;
}

}  // namespace

// yukha_fuzz_replay CORPUS: every file of CORPUS/<target>/; exit code 1 when a target has none.
int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s CORPUS\n", argv[0]), 2;
  int missing = 0;
  for (const auto& [name, target] : targets) {
    missing += run_folder(name, target, std::filesystem::path(argv[1]) / name);
  }
  return missing == 0 ? 0 : 1;
}
