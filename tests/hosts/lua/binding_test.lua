-- What bindings/lua promises beyond the journeys: luajit binding_test.lua YUKHA.LUA LIBRARY DIRECTORY [TRACKERS]
-- One line a promise, then "N passed, N failed".
local ffi = require("ffi")
local load_yukha = dofile(arg[1])
local yukha = load_yukha(arg[2])
local directory, trackers_dropped = arg[3], tonumber(arg[4] or 1000)

local passed, failed = 0, 0
local function promise(text, tried)
  local good, why = pcall(tried)
  print((good and "ok   " or "FAIL ") .. text .. (good and "" or "\n  " .. tostring(why)))
  if good then passed = passed + 1 else failed = failed + 1 end
end

local function equal(got, wanted)
  if got ~= wanted then error(("%s instead of %s"):format(tostring(got), tostring(wanted)), 2) end
end

local places = 0
local function settings()
  places = places + 1
  return { app_id = "lua", queue_dir = directory .. "/" .. places, no_device_facts = true }
end

local function opened()
  local tracker, code, name = yukha.open(settings())
  equal(code, yukha.OK)
  equal(name, "ok")
  return tracker
end

promise("what is no text is refused, and the sentence with it is not kept", function()
  local tracker = opened()
  for _, wrong in ipairs { {}, function() end, ffi.new("int[1]"), 0 / 0, 1 / 0, coroutine.create(print) } do
    equal(tracker:identify(wrong), yukha.BAD_ARGUMENT)
    equal(tracker:event():content(wrong):action("A"):track(), yukha.BAD_ARGUMENT)
    equal(tracker:event():content("c", { a = wrong }):action("A"):track(), yukha.BAD_ARGUMENT)
    equal(tracker:event():action(wrong):track(), yukha.BAD_ARGUMENT)
  end
  equal(tracker:identify(nil), yukha.BAD_ARGUMENT)
  equal(tracker:identify(), yukha.BAD_ARGUMENT)
  equal(tracker:track_json(nil), yukha.BAD_ARGUMENT)
  equal(tracker:event():location(nil):action("A"):track(), yukha.BAD_ARGUMENT)
  equal(tracker:event():referral(nil):action("A"):track(), yukha.BAD_ARGUMENT)
  equal(tracker:event():action():track(), yukha.BAD_ARGUMENT)
  equal(tracker:event():content("c", "no table"):action("A"):track(), yukha.BAD_ARGUMENT)
  equal(tracker:event():content("c", { "no pair" }):action("A"):track(), yukha.BAD_ARGUMENT)
  equal(tracker:event():content("c", { { "a" } }):action("A"):track(), yukha.BAD_ARGUMENT)
  equal(tracker:event():content("c", { [true] = {} }):action("A"):track(), yukha.BAD_ARGUMENT)
  equal(tracker:event():content("c", { ["a\0b"] = "v" }):action("A"):track(), yukha.BAD_ARGUMENT)
  equal(tracker:event():action("A"):at("noon"):track(), yukha.BAD_TIME)
  equal(tracker:event():action("A", "long"):track(), yukha.BAD_TIME)
  equal(tracker:event():action("A", -0.001):track(), yukha.BAD_TIME)
  equal(tracker:set_consent("granted"), yukha.BAD_ARGUMENT)
  assert(#tracker:last_error() > 0)
  equal(tracker:stats().accepted, 0)
  tracker:close()
end)

promise("a setting that is not there, or cannot be, is an error that names it", function()
  for name, wrong in pairs { end_point = "x", bytes = 4, ring_bytes = -1, upload_interval_ms = 2 ^ 40, age_max_hours = 1.5,
    app_version = {}, queue_dir = "a\0b", lane = print, no_thread = "yes" } do
    local given = settings()
    given[name] = wrong
    local good, why = pcall(yukha.open, given)
    equal(good, false)
    assert(why:find(name, 1, true), why)
  end
end)

promise("a tracker that could not open says why, and so does every call", function()
  local tracker, code, name = yukha.open { app_id = "Not An Id", queue_dir = directory }
  equal(code, yukha.BAD_CONFIG)
  equal(name, "bad_config")
  equal(tracker:identify("u"), yukha.BAD_CONFIG)
  equal(tracker:event():action("A"):track(), yukha.BAD_CONFIG)
  assert(tracker:last_error():find("app_id", 1, true))
end)

promise("a sentence is tracked once, and several may be in the making", function()
  local tracker = opened()
  local one, other = tracker:event():content("one"), tracker:event():content("other")
  equal(one:action("A"):track(), yukha.OK)
  equal(one:track(), yukha.ALREADY_TRACKED)
  equal(one:action("B"):track(), yukha.ALREADY_TRACKED)
  local third = tracker:event()
  equal(other:action("A"):track(), yukha.OK)
  equal(third:action("A"):track(), yukha.OK)
  equal(tracker:stats().accepted, 3)
  tracker:close()
end)

promise("after close every call is refused, and close may be called twice", function()
  local tracker = opened()
  local half = tracker:event():action("A")
  equal(tracker:close(), yukha.OK)
  equal(half:track(), yukha.CLOSED)
  equal(tracker:event():action("A"):track(), yukha.CLOSED)
  equal(tracker:identify("u"), yukha.CLOSED)
  equal(tracker:flush(1), yukha.CLOSED)
  equal(tracker:erase(), yukha.CLOSED)
  equal(tracker:set_consent(yukha.GRANTED), yukha.CLOSED)
  equal(tracker:close(0), yukha.OK)
end)

promise("a frame loop does the work itself", function()
  local given = settings()
  given.no_thread = true
  local tracker = yukha.open(given)
  equal(tracker:event():action("A"):track(), yukha.OK)
  for _ = 1, 5 do tracker:work() end
  equal(tracker:close(), yukha.OK)
end)

promise("the library may be loaded twice, and names are as in yukha.h", function()
  equal(load_yukha(arg[2]).version(), yukha.version())
  equal(dofile(arg[1])(arg[2]).version(), yukha.version())
  equal(yukha.result_name(yukha.RING_FULL), "ring_full")
  equal(yukha.DENIED, 2)
  equal(yukha.NO_SUCH_CODE, nil)
end)

promise("compiled traces pass the same strings as the interpreter", function()
  local given = settings()
  given.ring_full_wait_ms = 20000
  local tracker = yukha.open(given)
  for i = 1, 20000 do
    local code = tracker:event():location("FEED", { y = i, note = "n" .. i }):content(i, { price = i / 7, new = i % 2 == 0 })
      :action("READ", i / 1000):track()
    if code ~= 0 then error(yukha.result_name(code)) end
  end
  equal(tracker:stats().accepted, 20000)
  equal(tracker:close(), yukha.OK)
end)

ffi.cdef [[
  void* opendir(const char*);
  void* readdir(void*);
  int closedir(void*);
  int malloc_trim(size_t);
]]

-- Not through io.popen, whose own pipe would be counted now and then.
local function entries_of(path)
  local list, count = ffi.C.opendir(path), 0
  while ffi.C.readdir(list) ~= nil do count = count + 1 end
  ffi.C.closedir(list)
  return count - 2
end

local function anonymous_kib()
  local status = io.open("/proc/self/status")
  local kib = status:read("*a"):match("RssAnon:%s*(%d+)")
  status:close()
  return tonumber(kib)
end

promise("trackers dropped without a close leave nothing behind", function()
  local function drop(i)
    local tracker = yukha.open { app_id = "lua", queue_dir = directory .. "/dropped", no_device_facts = true }
    tracker:event():content("half made")
    if i % 3 == 0 then tracker:event():action("A"):track() end
    local kept = tracker:event():action("A") -- the sentence outlives what the program knows of its tracker
    tracker = nil
    collectgarbage()
    kept:track()
    kept = nil
    collectgarbage()
    collectgarbage()
  end
  for i = 1, 50 do drop(i) end
  ffi.C.malloc_trim(0)
  local handles, threads, memory = entries_of("/proc/self/fd"), entries_of("/proc/self/task"), anonymous_kib()
  for i = 1, trackers_dropped do drop(i) end
  ffi.C.malloc_trim(0)
  local now = anonymous_kib()
  print(("  %d trackers: handles %d to %d, threads %d to %d, anonymous memory %d to %d KiB"):format(trackers_dropped, handles,
    entries_of("/proc/self/fd"), threads, entries_of("/proc/self/task"), memory, now))
  equal(entries_of("/proc/self/fd"), handles)
  equal(entries_of("/proc/self/task"), threads)
  -- The allocator's own level differs by half a mebibyte from run to run, however many trackers there were.
  if not os.getenv("ASAN_OPTIONS") then assert(now - memory < 1024, "memory grew") end
end)

-- Left open on purpose: the end of the Lua state frees trackers and sentences in an order of its own.
LEFT = {}
for i = 1, 5 do
  LEFT[i] = opened()
  LEFT[-i] = LEFT[i]:event():action("A")
  LEFT[10 + i] = LEFT[i]:event()
end

print(("%d passed, %d failed"):format(passed, failed))
if failed > 0 then os.exit(1, true) end
