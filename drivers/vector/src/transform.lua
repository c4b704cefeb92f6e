-- A pipeline's `source`, with a clock that the test sets.
local options = ...
options.now = function() return arrival end
local filter = require("kaudit").new(options)

return {
  process = function(event, emit)
    -- Failures of other code: another transform leaves a value that no event can contain, or the user's clock fails.
    local spoil, now = type(event.log) == "table" and event.log.spoil, arrival
    if spoil == "event" then
      event.log.spoil = 0 / 0
    elseif spoil == "function" then
      event.log.spoil = print
    elseif spoil == "clock" then
      arrival = "noon"
    end
    local verdict, reason = filter:process(event, emit)
    arrival = now
    return verdict, reason
  end,
  metrics = function(emit) filter:metrics(emit) end,
  flush = function(emit) filter:flush(emit) end,
  shutdown = function(emit) filter:shutdown(emit) end,
  stats = function() return filter:stats() end,
}
