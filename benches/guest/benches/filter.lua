-- The same job for Fluent Bit's Lua filter, as in its manual: a record is a table.
local MAX_AGE, MAX_AHEAD, LIMIT = 24 * 3600000, 4 * 3600000, 1000
local ETYPE = {principal = true, resource = true}
local CATEGORY = {anomaly = true, incident = true}
local CONFIDENCE = {high = true, medium = true}
local due = {}
now_ns = now_ns or function() return os.time() * 1e9 end

function kaudit(tag, timestamp, finding)
    local eid, category, confidence = finding.eid, finding.category, finding.confidence
    if not (ETYPE[finding.etype] and CATEGORY[category] and CONFIDENCE[confidence]) or eid:find("^system:") then
        return -1, 0, 0
    end
    local now = now_ns()
    local step = 1e9 / LIMIT
    local next_due = due[eid] or now
    if next_due > now + 1e9 - step then
        return -1, 0, 0
    end
    due[eid] = math.max(now, next_due) + step
    local time, severity = finding.time, 4
    now = math.floor(now / 1e6)
    if time < now - MAX_AGE or time > now + MAX_AHEAD then
        time = now
        finding.kaudit_filter = {clamped = true}
    end
    if category == "incident" then
        severity = confidence == "high" and 6 or 5
    elseif confidence == "high" then
        severity = 5
    end
    return 2, timestamp, {
        timestamp = time,
        severity = severity,
        applicationName = finding.cluster,
        subsystemName = "kaudit-detections",
        computerName = finding.cluster,
        category = category,
        className = finding.etype,
        methodName = finding.short_doc,
        threadId = eid,
        text = finding,
    }
end
