// What can be said of a config before anything is touched.
#pragma once

#include <yukha/config.hpp>
#include <yukha/status.hpp>

#include "pipeline/settings.hpp"

namespace yukha::detail {

// bad_config, bad_key, bad_endpoint or plain_http, and why; or what the worker is told of it.
Status check_config(const Config& config, pipeline::WorkerSettings& settings);

}  // namespace yukha::detail
