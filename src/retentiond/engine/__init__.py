"""The one path from a rule to a changed record: plan, guard, permit, act, read back, conclude."""
