#include "pipeline/keys.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "system/crypto.hpp"

namespace yukha::pipeline {

bool Keys::make_request(Flight& flight, const send::RequestFacts& facts, HttpRequest& request) {
  if (facts.nonce[0] == 0 && facts.nonce[1] == 0) {
    faults_.tell(Status(Code::no_randomness).message());
    return false;
  }
  const WorkerSettings& settings = around_.settings;
  if (settings.keys.empty() && settings.provide_keys && !ask()) {
    faults_.tell("the app gave no key to sign with");
    return false;
  }
  const send::Key* key = settings.keys.empty() ? nullptr : &settings.keys[in_use_];
  bool good = false;
  try {
    good = settings.protocol->make_request(flight.endpoint, facts, key, settings.sign, request, flight.made);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    // The app's function threw; that is its way to say no.
  }
  if (!good && key != nullptr) faults_.tell("the app did not sign for the key " + key->id);
  return good;
}

bool Keys::try_another(Flight& flight) {
  if (flight.keys_tried < around_.settings.keys.size()) {
    ++flight.keys_tried;
    in_use_ = (in_use_ + 1) % around_.settings.keys.size();
    return true;
  }
  if (!around_.settings.provide_keys || flight.asked_for_keys) return false;
  flight.asked_for_keys = true;
  if (!ask()) return false;
  flight.keys_tried = 1;
  flight.first_key = 0;
  return true;
}

bool Keys::ask() {
  std::vector<send::Key> keys;
  try {
    std::vector<SigningKey> given = around_.settings.provide_keys();
    const Status status = send::decode_keys(given, around_.settings.sign != nullptr, keys);
    for (SigningKey& one : given) system::cleanse(one.secret_base64);
    if (!status) {
      around_.log.write(LogLevel::error, status.message());
      return false;
    }
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    return false;
  }
  const auto same = [](const send::Key& a, const send::Key& b) { return a.id == b.id && a.secret == b.secret; };
  const std::vector<send::Key>& old = around_.settings.keys;
  if (keys.empty() || std::equal(keys.begin(), keys.end(), old.begin(), old.end(), same)) return false;
  replace(std::move(keys));
  return true;
}

void Keys::replace(std::vector<send::Key>&& keys) {
  around_.settings.keys = std::move(keys);
  in_use_ = 0;
}

}  // namespace yukha::pipeline
