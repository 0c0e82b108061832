"""An identifier of a person: two ways to write it are one, and nothing else is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from retentiond.model.subject import KIND, Subject, subject, subject_of

KINDS = st.sampled_from(["email", "phone", "customer-number"])
HARD = st.text(
    st.sampled_from("aAbB@.:+-() \t0123456789\u00dfſKΣςéE\u0301İıß\u3002\uff61\ufeff\u200bmailto:tel:xn--"), max_size=24
)
TEXTS = st.one_of(st.text(max_size=24), HARD, st.text(st.characters(), max_size=12))
PLAIN = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789"), min_size=1, max_size=12)
ADDRESSES = st.builds("{}@{}.example".format, PLAIN, PLAIN)


def value(kind: str, text: str) -> str | None:
    made = subject(kind, text)
    return None if made is None else made.value


# ------------------------------------------------------------------------------------------------ two ways are one


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("anna@person.example", "anna@person.example"),
        ("Anna@Person.EXAMPLE", "anna@person.example"),
        (" anna@person.example\r\n", "anna@person.example"),
        ("\ufeffanna@person.example\u200b", "anna@person.example"),
        ("\u00a0anna@person.example\u3000", "anna@person.example"),
        ("ａｎｎａ＠ｐｅｒｓｏｎ．ｅｘａｍｐｌｅ", "anna@person.example"),
        ("mailto:anna@person.example", "anna@person.example"),
        ("MAILTO: anna@person.example", "anna@person.example"),
        ("anna@person.example.", "anna@person.example"),
        ("anna@person.example. ", "anna@person.example"),
        ("anna@person。example", "anna@person.example"),
        ("anna@münchen.example", "anna@xn--mnchen-3ya.example"),
        ("anna@MÜNCHEN.example", "anna@xn--mnchen-3ya.example"),
        ("anna@mu\u0308nchen.example", "anna@xn--mnchen-3ya.example"),
        ("anna@XN--MNCHEN-3YA.example", "anna@xn--mnchen-3ya.example"),
        ("Zoë@person.example", "zoë@person.example"),
        ("Zoe\u0308@person.example", "zoë@person.example"),
        ("anna+shop@person.example", "anna+shop@person.example"),
        ('"a@b"@person.example', '"a@b"@person.example'),
        ("anna", "anna"),
    ],
)
def test_an_address_is_written_in_many_ways(text: str, normal: str) -> None:
    assert value("email", text) == normal


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("+49 30 5550199", "+49305550199"),
        ("0049 30 5550199", "+49305550199"),
        ("+49 (0)30 / 555-01-99", "+49305550199"),
        ("(+49)(0)30 5550199", "+49305550199"),
        ("tel:+49-30-5550199", "+49305550199"),
        ("+49.30.555.0199", "+49305550199"),
        ("＋４９ ３０ ５５５０１９９", "+49305550199"),
        ("+٤٩ ٣٠ ٥٥٥٠١٩٩", "+49305550199"),
        ("\u202a+49\u00a030\u20115550199\u202c", "+49305550199"),
        ("030 5550199", "0305550199"),
        ("030 (0) 5550199", "03005550199"),
        ("+49 30 5550199 X12", "+49305550199x12"),
    ],
)
def test_a_phone_number_is_written_in_many_ways(text: str, normal: str) -> None:
    assert value("phone", text) == normal


@pytest.mark.parametrize(
    ("text", "normal"),
    [("  K-0007 ", "k-0007"), ("Ｋ-0007", "k-0007"), ("k-00 07", "k-00 07"), ("mailto:k", "mailto:k"), ("k.", "k."), ("ẞ", "ß")],
)
def test_anything_else_goes_by_its_letters(text: str, normal: str) -> None:
    assert value("customer-number", text) == normal


@given(KINDS, ADDRESSES | PLAIN)
def test_capitals_and_width_and_outer_spaces_make_no_difference(kind: str, text: str) -> None:
    wide = "".join(chr(ord(one) + 0xFEE0) for one in text)
    assert subject(kind, text) == subject(kind, text.upper()) == subject(kind, f"\t {text}\u00a0\n") == subject(kind, wide)


@given(KINDS, TEXTS)
def test_composed_and_decomposed_are_one(kind: str, text: str) -> None:
    assert subject(kind, unicodedata.normalize("NFD", text)) == subject(kind, unicodedata.normalize("NFC", text))


@given(KINDS, TEXTS)
def test_to_normalize_what_is_normalized_changes_nothing(kind: str, text: str) -> None:
    made = subject(kind, text)
    assert made is None or subject(kind, made.value) == made


@given(KINDS, TEXTS)
def test_the_same_text_always_gives_the_same_and_none_is_the_only_way_to_say_nobody(kind: str, text: str) -> None:
    made = subject(kind, text)
    assert made == subject(kind, text)
    assert made is None or (made.kind == kind and made.value.strip() == made.value != "")


# ----------------------------------------------------------------------------------------------- two persons are two


@given(ADDRESSES, ADDRESSES)
def test_two_addresses_are_never_one(one: str, other: str) -> None:
    assume(one != other)
    assert subject("email", one) != subject("email", other)


@given(KINDS, ADDRESSES | PLAIN, PLAIN)
def test_a_part_is_never_the_whole(kind: str, text: str, more: str) -> None:
    assume(kind != "phone" or (text.isdigit() and not text.startswith("0") and more.isdigit()))
    assert subject(kind, text) != subject(kind, text + more)
    assert subject(kind, text) != subject(kind, more + text)
    assert subject(kind, text) != subject(kind, text[1:])
    assert subject(kind, text) != subject(kind, text[:-1])


@given(st.integers(1, 10**14), st.integers(1, 10**14))
def test_two_phone_numbers_are_never_one(one: int, other: int) -> None:
    assume(one != other)
    assert subject("phone", f"+{one}") != subject("phone", f"00{other}")
    assert subject("phone", f"+{one}") != subject("phone", f"{one}")


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("email", "anna@straße.example", "anna@strasse.example"),
        ("email", "weiß@person.example", "weiss@person.example"),
        ("email", "anna@person.example", "anna@person.example.org"),
        ("email", "anna@person.example", "hanna@person.example"),
        ("email", "a.nna@person.example", "anna@person.example"),
        ("email", "anna+shop@person.example", "anna@person.example"),
        ("email", "anná@person.example", "anna@person.example"),
        ("email", "аnna@person.example", "anna@person.example"),
        ("email", "anna_@person.example", "annab@person.example"),
        ("email", "anna@sub.person.example", "anna@person.example"),
        ("phone", "030 5550199", "+49 30 5550199"),
        ("phone", "+49 30 5550199-1", "+49 30 5550199"),
        ("customer-number", "007", "7"),
        ("customer-number", "K-7", "K7"),
    ],
)
def test_what_is_nearly_the_same_is_another(kind: str, one: str, other: str) -> None:
    assert subject(kind, one) != subject(kind, other)


def test_a_kind_is_part_of_it() -> None:
    assert subject("email", "7") != subject("customer-number", "7") != subject("phone", "7")


# --------------------------------------------------------------------------------------------------------- nobody


@pytest.mark.parametrize("kind", ["email", "phone", "customer-number"])
@pytest.mark.parametrize("text", ["", " ", "\t\r\n", "\u00a0\u3000", "\ufeff\u200b"])
def test_blank_is_nobody(kind: str, text: str) -> None:
    assert subject(kind, text) is None


@pytest.mark.parametrize(
    ("kind", "text"), [("email", "mailto:"), ("phone", "tel: "), ("phone", "+"), ("phone", "()/-"), ("phone", "-")]
)
def test_what_holds_no_identifier_is_nobody(kind: str, text: str) -> None:
    assert subject(kind, text) is None


@pytest.mark.parametrize(
    "domain", ["a" * 300, "ü" * 300, "..", "a..b", "-ü-", "\ud800", "ü\ud800", "\u200d", "[127.0.0.1]", "xn--\u00fc"]
)
def test_a_domain_that_cannot_be_is_still_one_and_the_same(domain: str) -> None:
    made = subject("email", f"anna@{domain}")
    assert made is not None
    assert made == subject("email", f"Anna@{domain}") == subject("email", made.value)
    assert made != subject("email", "anna@person.example")


# ----------------------------------------------------------------------------------------------- as a person writes it


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("email:Anna@Person.example", Subject("email", "anna@person.example")),
        ("email: mailto:anna@person.example", Subject("email", "anna@person.example")),
        ("customer-number:a:b", Subject("customer-number", "a:b")),
        ("anna@person.example", None),
        (":anna", None),
        ("email:", None),
        ("email: ", None),
        ("E-Mail:anna@person.example", None),
        ("email\n:anna@person.example", None),
        ("customer--number:7", None),
        ("", None),
    ],
)
def test_kind_and_identifier_are_read(text: str, made: Subject | None) -> None:
    assert subject_of(text) == made


@given(TEXTS)
def test_what_is_read_has_a_kind_and_says_no_more_than_was_written(text: str) -> None:
    made = subject_of(text)
    assert made is None or (KIND.fullmatch(made.kind) and made == subject(made.kind, text.partition(":")[2]))


@given(KINDS, TEXTS.filter(lambda text: len(text) > len("Subject")))
def test_the_identifier_does_not_show(kind: str, text: str) -> None:
    made = subject(kind, text)
    assert made is None or repr(made) == f"Subject(kind={kind!r})"
