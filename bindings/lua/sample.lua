-- A user reads a card in a feed: luajit bindings/lua/sample.lua LIBRARY ENDPOINT
package.path = (arg[0]:match("^(.*/)") or "./") .. "?.lua;" .. package.path
local library, endpoint = arg[1], arg[2] or "http://127.0.0.1:8080"

-- [readme
local yukha = require("yukha")(library)

local tracker = yukha.open {
  app_id = "shop",
  queue_dir = "events",
  endpoint = endpoint,
  key_id = "app-2026-11",
  key_secret_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=",
}
print("identify", tracker:identify("u_1842", { plan = "free" }))
print("track", tracker:event()
  :location("FEED", { y = "3" })
  :content("card_913", { type = "card", price = 12900 })
  :referral("CLICK")
  :action("READ", 10)
  :track())
print("flush", tracker:flush(5))
print("close", tracker:close())
-- readme]
