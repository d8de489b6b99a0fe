"""Small changes to an event, each of a known sort: it says more, less, or what cannot be at once."""

from __future__ import annotations

from harness.data.synthetic.concepts import ALL_ACTIONS, PLACE_ABOVE, TIME_ABOVE, TIMES, is_a, qualities_of
from harness.data.synthetic.invent import (
    CIRCUMSTANCES_OF,
    MANNERS,
    Scope,
    agents,
    narrower_kind,
    opposite_quality,
    other_kind,
    other_manner,
    other_place,
    other_time,
    wider_kind,
)
from harness.data.synthetic.meaning import CIRCUMSTANCES, PARTICIPANTS, Event, Thing, actions_above
from harness.data.synthetic.rng import Rng


def _role(rng: Rng, event: Event) -> str:
    return rng.choice([role for role in PARTICIPANTS if getattr(event, role) is not None])


def fill(rng: Rng, event: Event, role: str, scope: Scope) -> Event:
    """With some value for a circumstance."""
    values = {"place": scope.places, "time": TIMES, "manner": MANNERS}
    return event.having(role, rng.choice(values[role]))


def add(rng: Rng, event: Event, scope: Scope) -> Event | None:
    """A circumstance or a quality that the event leaves open."""
    missing = [role for role in CIRCUMSTANCES_OF[event.action] if not getattr(event, role)]
    if missing and rng.chance(0.65):
        return fill(rng, event, rng.choice(missing), scope)
    role = _role(rng, event)
    thing: Thing = getattr(event, role)
    if thing.name or thing.quality:
        return None
    return event.having(role, thing._replace(quality=rng.choice(qualities_of(thing.kind))))


def drop(rng: Rng, event: Event, scope: Scope) -> Event | None:
    """Without one of its circumstances or qualities."""
    present = [role for role in CIRCUMSTANCES if getattr(event, role)]
    described = [role for role in PARTICIPANTS if (thing := getattr(event, role)) is not None and thing.quality]
    if not present and not described:
        return None
    role = rng.choice(present + described)
    if role in CIRCUMSTANCES:
        return event.having(role, "")
    thing = getattr(event, role)
    return event.having(role, thing._replace(quality=""))


def specify(rng: Rng, event: Event, scope: Scope) -> Event | None:
    """A kind, action, place or time below the one it names."""
    role = rng.choice(("agent", "patient", "patient", "action", "place", "time"))
    if role == "action":
        below = [key for key, action in ALL_ACTIONS.items() if action.wider == event.action]
        return event._replace(action=rng.choice(below)) if below else None
    if role in ("place", "time"):
        above = PLACE_ABOVE if role == "place" else TIME_ABOVE
        options = scope.places if role == "place" else TIMES
        narrower = [key for key in options if getattr(event, role) in above[key]]
        return event.having(role, rng.choice(narrower)) if narrower else None
    thing: Thing | None = getattr(event, role)
    changed = narrower_kind(rng, thing, scope) if thing is not None else None
    if changed is None or (role == "agent" and not _permitted(changed, event.action, scope)):
        return None
    return event.having(role, changed)


def generalize(rng: Rng, event: Event, scope: Scope) -> Event | None:
    """A kind, action, place or time above the one it names."""
    role = rng.choice(("agent", "patient", "patient", "action", "place", "time"))
    if role == "action":
        above = actions_above(event.action)
        return event._replace(action=rng.choice(above)) if above else None
    if role in ("place", "time"):
        chain = (PLACE_ABOVE if role == "place" else TIME_ABOVE).get(getattr(event, role), ())
        return event.having(role, rng.choice(chain)) if chain else None
    thing: Thing | None = getattr(event, role)
    changed = wider_kind(rng, thing) if thing is not None else None
    return event.having(role, changed) if changed else None


def oppose(rng: Rng, event: Event, scope: Scope) -> Event | None:
    """Something in the place of one part that cannot be at once with it."""
    role = rng.choice(
        ("action", "action", "agent", "patient", "place", "time", "manner", "quality", "quality", "roles")
    )
    if role == "action":
        opposite = ALL_ACTIONS[event.action].opposite
        return event._replace(action=opposite) if opposite and _permitted(event.agent, opposite, scope) else None
    if role == "place":
        return event._replace(place=other_place(rng, event.place, scope)) if event.place else None
    if role == "time":
        return event._replace(time=other_time(rng, event.time)) if event.time else None
    if role == "manner":
        return event._replace(manner=other_manner(event.manner)) if event.manner else None
    if role == "quality":
        role = _role(rng, event)
        thing = opposite_quality(getattr(event, role))
        return event.having(role, thing) if thing else None
    if role == "roles":
        return swap(rng, event, scope)
    thing = getattr(event, role)
    changed = other_kind(rng, thing, scope) if thing is not None else None
    if changed is None or changed.key in [
        thing.key for thing in (event.agent, event.patient, event.partner) if thing is not None
    ]:
        return None
    return event.having(role, changed) if role != "agent" or _permitted(changed, event.action, scope) else None


def swap(rng: Rng, event: Event, scope: Scope) -> Event | None:
    """The two people change roles."""
    other = "partner" if event.partner is not None else "patient"
    thing: Thing | None = getattr(event, other)
    if event.agent is None or thing is None or not is_a(event.agent.kind, "person") or not is_a(thing.kind, "person"):
        return None
    return event._replace(agent=thing).having(other, event.agent) if _permitted(thing, event.action, scope) else None


def _permitted(thing: Thing | None, action: str, scope: Scope) -> bool:
    """Not a held-out combination where those are not wanted."""
    if thing is None or scope.held_out is not False:
        return True
    return any(thing.key == agent.key for agent in agents(action, scope)) or thing.kind not in _leaf_kinds(
        action, scope
    )


def _leaf_kinds(action: str, scope: Scope) -> tuple[str, ...]:
    return tuple(thing.kind for thing in agents(action, Scope(scope.away, None)))
