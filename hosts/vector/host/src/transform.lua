-- What a pipeline's `source` holds, with a clock that the test sets.
local options = ...
options.now = function() return arrival end
local filter = require("kaudit").new(options)

return {
  process = function(event, emit)
    -- What another transform's mistake may leave behind, and no event of Vector's can hold.
    if event.log.refused then
      event.log.refused = 0 / 0
    end
    return filter:process(event, emit)
  end,
  flush = function(emit) filter:flush(emit) end,
  shutdown = function(emit) filter:shutdown(emit) end,
  stats = function() return filter:stats() end,
}
