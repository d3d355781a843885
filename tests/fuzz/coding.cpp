// base64 and gzip: what goes in comes out, and nothing larger than was allowed.
#include "fuzz.hpp"
#include "send/gzip.hpp"
#include "system/base64.hpp"

using namespace yukha;
using fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t most = input.number(3) % 300'000;
  const std::string_view bytes = input.rest();

  std::string decoded;
  promise(system::from_base64(system::to_base64(bytes), decoded) && decoded == bytes,
          "base64 gives back what it was given");
  if (system::from_base64(bytes, decoded)) {
    promise(system::to_base64(decoded) == bytes, "one secret has one base64 text");
  }

  std::string unpacked;
  const std::string member = send::gzip(bytes);
  promise(send::gunzip(member, bytes.size(), unpacked) && unpacked == bytes, "gzip gives back what it was given");
  promise(bytes.empty() || !send::gunzip(member, bytes.size() - 1, unpacked), "gunzip refuses one byte too many");
  promise(!send::gunzip(member.substr(0, member.size() - 1), bytes.size(), unpacked), "a cut member is refused");
  promise(!send::gunzip(member + 'x', bytes.size(), unpacked), "what stands behind a member is refused");

  const bool whole = send::gunzip(bytes, most, unpacked);
  promise(unpacked.capacity() <= 4 * (most + 128 * 1024), "a bomb does not grow far beyond what is allowed");
  if (whole) {
    promise(unpacked.size() <= most, "what gunzip accepts is no larger than allowed");
    std::string again;
    promise(send::gunzip(send::gzip(unpacked), most, again) && again == unpacked, "what was read can be written");
  }
  return 0;
}
