"""Makes messages of GraphQL's inputs."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool

from kvs_graphql.formats.errors import DoesNotFit, one_line
from kvs_graphql.formats.protobuf.naming import Naming, has_fields
from kvs_graphql.formats.protobuf.scalars import SCALAR_TYPES
from kvs_graphql.formats.protobuf.schema import Descriptor, FieldDescriptor, Message
from kvs_graphql.formats.protobuf.well_known import ANY, WELL_KNOWN

_Put = Callable[[Message, Any, str, int], None]


class Filler:
    """Fills messages with the values of inputs."""

    def __init__(self, naming: Naming, pool: DescriptorPool, depth_max: int) -> None:
        self._naming = naming
        self._pool = pool
        self._depth_max = depth_max
        self._puts: dict[str, dict[str, _Put]] = {}
        self._numbers = {name: self._numbers_of(enum) for name, enum in naming.enums.items()}

    def fill(self, message: Message, value: Any, path: str = "", depth: int = 1) -> None:
        """Fill a message that is empty.

        Raises:
            DoesNotFit: The schema has no room for the value.
        """
        descriptor = message.DESCRIPTOR
        if depth > self._depth_max:
            raise DoesNotFit(f"{path}: is nested deeper than {self._depth_max}")
        if not has_fields(descriptor):
            self._fill_scalar(message, value, path)
            return
        if not isinstance(value, Mapping):
            raise DoesNotFit(f"{path}: must be an object" if path else "must be an object")
        message.SetInParent()
        if (puts := self._puts.get(descriptor.full_name)) is None:
            puts = self._puts[descriptor.full_name] = self._puts_of(descriptor)
        for name, one in value.items():
            at = f"{path}.{name}" if path else name
            if name not in puts:
                raise DoesNotFit(f"{at}: is not in the schema")
            if one is not None:
                puts[name](message, one, at, depth)
        for field in descriptor.fields:
            if field.is_required and not message.HasField(field.name):
                name = self._naming.fields[descriptor.full_name][field.name]
                raise DoesNotFit(f"{f'{path}.{name}' if path else name}: is required")

    def _fill_scalar(self, message: Message, value: Any, path: str) -> None:
        name = message.DESCRIPTOR.full_name
        if name in WELL_KNOWN:
            _converted(lambda one: WELL_KNOWN[name].assign(message, one), value, path)
        elif name == ANY:
            self._fill_any(message, value, path)
        elif value == {}:
            message.SetInParent()
        else:
            raise DoesNotFit(f"{path}: must be an object without members")

    def _fill_any(self, message: Message, value: Any, path: str) -> None:
        try:
            json_format.ParseDict(value, message, descriptor_pool=self._pool, max_recursion_depth=self._depth_max)
        except (json_format.ParseError, AttributeError, TypeError, ValueError) as error:
            raise DoesNotFit(f"{path}: does not fit: {one_line(error)}") from None

    def _puts_of(self, message: Descriptor) -> dict[str, _Put]:
        names = self._naming.fields[message.full_name]
        puts: dict[str, _Put] = {}
        for field in message.fields:
            oneof = self._naming.oneof_of(field)
            if oneof is None:
                puts[names[field.name]] = self._put_of(field)
            else:
                puts[names[oneof.name]] = self._put_member(oneof)
        return puts

    def _put_of(self, field: FieldDescriptor) -> _Put:
        if not field.is_repeated:
            return self._put_single(field)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return self._put_map(field)
        return self._put_list(field)

    def _put_single(self, field: FieldDescriptor) -> _Put:
        key = field.name
        if field.message_type is not None:
            return lambda message, value, path, depth: self.fill(getattr(message, key), value, path, depth + 1)
        convert = self._converter(field)
        return lambda message, value, path, _: setattr(message, key, _converted(convert, value, path))

    def _put_list(self, field: FieldDescriptor) -> _Put:
        convert = None if field.message_type is not None else self._converter(field)

        def put(message: Message, value: Any, path: str, depth: int) -> None:
            container = getattr(message, field.name)
            for index, item in enumerate(value if isinstance(value, list | tuple) else [value]):
                at = f"{path}[{index}]"
                if convert is None:
                    self._fill_item(container.add(), item, at, depth)
                else:
                    container.append(_converted(convert, item, at))

        return put

    def _fill_item(self, message: Message, item: Any, path: str, depth: int) -> None:
        if item is None and message.DESCRIPTOR.full_name != "google.protobuf.Value":
            raise DoesNotFit(f"{path}: must not be null")
        self.fill(message, item, path, depth + 1)

    def _put_map(self, field: FieldDescriptor) -> _Put:
        key_field, value_field = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        to_key = self._converter(key_field)
        convert = None if value_field.message_type is not None else self._converter(value_field)

        def put(message: Message, value: Any, path: str, depth: int) -> None:
            container = getattr(message, field.name)
            for index, entry in enumerate(value):
                at = f"{path}[{index}]"
                key = _converted(to_key, entry["key"], f"{at}.key")
                if key in container:
                    raise DoesNotFit(f"{at}.key: is there twice")
                if convert is None:
                    self._fill_item(container[key], entry.get("value"), f"{at}.value", depth)
                else:
                    container[key] = _converted(convert, entry.get("value"), f"{at}.value")

        return put

    def _put_member(self, oneof: Descriptor) -> _Put:
        names = self._naming.fields[oneof.containing_type.full_name]
        members = {names[field.name]: self._put_single(field) for field in oneof.fields}

        def put(message: Message, value: Any, path: str, depth: int) -> None:
            given = [(name, one) for name, one in value.items() if one is not None]
            if len(given) != 1 or given[0][0] not in members:
                raise DoesNotFit(f"{path}: must have exactly one of {', '.join(members)}")
            name, one = given[0]
            members[name](message, one, f"{path}.{name}", depth)

        return put

    def _converter(self, field: FieldDescriptor) -> Callable[[Any], Any]:
        if field.enum_type is None:
            return SCALAR_TYPES[field.type].from_input
        numbers = self._numbers[field.enum_type.full_name]

        def number(value: Any) -> int:
            if value not in numbers:
                raise DoesNotFit(f"must be one of the enumeration's values, not {value!r:.100}")
            return numbers[value]

        return number

    def _numbers_of(self, enum: Descriptor) -> dict[str, int]:
        names = self._naming.enum_values[enum.full_name]
        return {names[value.name]: value.number for value in enum.values}


def _converted(convert: Callable[[Any], Any], value: Any, path: str) -> Any:
    try:
        return convert(value)
    except DoesNotFit as error:
        raise DoesNotFit(f"{path}: {error}") from None
