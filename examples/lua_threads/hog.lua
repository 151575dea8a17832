-- Computes, and never lets go by itself, until the script beside it says that it is done.

local steps = 0
while not done do
  steps = steps + 1
end
print("hog: " .. steps .. " steps")
