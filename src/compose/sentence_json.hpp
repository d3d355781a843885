// The six parts as one JSON object, for hosts where each call is dear.
#pragma once

#include <string_view>

#include <yukha/event.hpp>
#include <yukha/status.hpp>

namespace yukha {

// Fills the event from the text; not_a_sentence or repeated_member name what is wrong with the text itself.
// Tracker::track_json documents the form.
Status fill_from_json(std::string_view json, Event& event);

}  // namespace yukha
