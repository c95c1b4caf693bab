-- SPDX-License-Identifier: MIT
-- What layers are written with. A layer is one function, in a file under layers/ by what it does: it declares its tensors
-- where it is made (host.declare, in param.c), and records an operation (host.record, in value.c) each time a value goes
-- through the layer it returns (host.layer); so a layer used twice shares its tensors. Not here: any layer.
local host = ...
local type = type

function host.check_text(what, name)
    if type(name) ~= "string" then
        host.failf("%s takes its name first, a text, and got %s", what, host.kind_of(name))
    end
end

function host.need_last(kind, name, shape, size)
    if shape[#shape] ~= size then
        host.fail_shape(string.format("%s \"%s\" takes %s in the last dimension, and gets a value of shape %s", kind, name,
                                      tostring(size), host.shape_text(shape)))
    end
end

-- A number that counts: an integer of at least `least`.
function host.need_count(what, x, least)
    if math.type(x) ~= "integer" or x < least then
        host.failf("%s is %s; it must be an integer of at least %d", what, type(x) == "number" and tostring(x)
                   or type(x) == "string" and '"' .. x .. '"' or host.kind_of(x), least)
    end
    return x
end

-- An option of a layer over `count` axes: one number for all, or a list.
function host.per_axis(what, x, count)
    if type(x) == "table" then
        if #x ~= count then
            host.failf("%s needs %d numbers, and got %d", what, count, #x)
        end
        return x
    end
    local list = {}
    for i = 1, count do
        list[i] = x
    end
    return list
end

-- The size that a window of `kernel` leaves of an axis; symbols stay symbols.
function host.slid(what, from, axis, kernel, stride, padding)
    local size = from[axis]
    if type(size) == "string" then
        if stride == 1 and kernel == 2 * padding + 1 then
            return size
        end
        return string.format("(%s+%d)/%d", size, 2 * padding - kernel + stride, stride)
    end
    local out = (size + 2 * padding - kernel) // stride + 1
    if out < 1 then
        host.fail_shape(string.format("%s: a kernel of %d with a padding of %d does not fit into the %d of [%s]", what, kernel,
                                      padding, size, host.shape_text(from):sub(2, -2)))
    end
    return out
end
