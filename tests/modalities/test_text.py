"""Text to numbers and back, in characters, words and byte pairs; what is fitted comes from the training part alone."""

import json

import numpy as np
import pytest

from saiki.data.tokens import cut, length, tokens
from saiki.errors import DataError, OptionError
from saiki.modalities import _vectors, text
from saiki.modalities._words import is_split, sentences, words
from saiki.modalities.text import END, UNKNOWN, TextCodec, TextOptions

PROSE = 'The cat\'s hat, "again"!\n\nThe  dog (a well-known one) said: no.\n' * 3
MIXED = "吾輩は猫である。コーヒーを飲む。\nThe naïve 猫 said: ไทย!\n" * 3


@pytest.mark.parametrize("units", ["characters", "words", "bytepair"])
@pytest.mark.parametrize("given", [PROSE, MIXED, "   \n\n x \t y"])
def test_what_is_known_comes_back(units, given):
    codec = text.fit([given], TextOptions(units=units, fewest=1))
    numbers = codec.encode(given)
    assert numbers.dtype == np.int32
    assert UNKNOWN not in numbers
    assert numbers.max() < codec.size
    assert codec.decode([*numbers, END]) == given
    again = TextCodec.from_json(json.loads(json.dumps(codec.to_json())))
    assert again == codec
    assert (again.encode(given) == numbers).all()


def test_what_is_not_known_is_one_unit():
    codec = text.fit(["abc abc"], TextOptions(units="characters"))
    assert codec.decode(codec.encode("aé😀c")) == "a��c"
    assert codec.unknown("aé😀ca") == ["é", "😀"]
    codec = text.fit(["one two one two three"], TextOptions(units="words"))
    assert [codec.name(n) for n in codec.encode("one three two")] == ["<unknown>", "<unknown>", " two"]


def test_unicode_is_normalised():
    codec = text.fit(["e\u0301"], TextOptions(units="characters"))
    assert (codec.encode("é") == codec.encode("e\u0301")).all()
    codec = text.fit(["ＡＢ ﾊﾝｶｸ"], TextOptions(units="characters", unicode="nfkc", lower=True))
    assert codec.decode(codec.encode("ab ハンカク")) == "ab ハンカク"


def test_scripts_without_spaces_are_cut_sign_by_sign():
    assert words("猫はコーヒーを飲む。New York!", split=False, spaces=True) == [
        "猫", "は", "コーヒー", "を", "飲", "む", "。", "New", " York", "!",
    ]  # fmt: skip
    assert text.natural_units("吾輩は猫である。", words_first=True) == "characters"
    assert text.natural_units("a cat", words_first=True) == "words"


def test_text_that_is_cut_already_keeps_its_words():
    line = "no , it was n't <unk> monday .\n"
    assert is_split(line * 10)
    assert not is_split(PROSE * 10)
    codec = text.fit([line * 10], TextOptions(units="words"), head=line * 10)
    assert codec.split
    assert len(codec.encode(line)) == 9
    assert codec.decode(codec.encode(line * 2)) == line * 2


def test_a_corpus_without_marks_is_told_by_its_endings():
    line = "mr. vinken is n't chairman of <unk> 's publishing group\n"  # as the Penn Treebank is handed around
    assert is_split(line * 10)
    assert not is_split("it's not what they're told, isn't it?\n" * 10)
    codec = text.fit([line * 10 + "once\n"], TextOptions(units="words"), head=line * 10)
    assert codec.split
    assert {"mr.", "n't", "'s", "<unk>", "once"} < set(codec.symbols)  # its vocabulary has been chosen already
    plain = text.fit([line.replace("<unk>", "him") * 10 + "once\n"], TextOptions(units="words"), head=line * 10)
    assert "once" not in plain.symbols


def test_endings_do_not_outweigh_marks():
    assert not is_split("Hij leest 's avonds, en 's morgens slaapt hij; is 's middags 't eten klaar?\n" * 20)
    assert is_split("mr. vinken did n't , he 's of the u.s. government\n" * 20)


def test_options_that_do_not_fit_are_one_line(tmp_path):
    with pytest.raises(OptionError, match="vocabulary 50 is larger than the data: it has 3 different characters"):
        text.fit(["abc"], TextOptions(units="characters", vocabulary=50))
    with pytest.raises(DataError, match="no unit of the training text occurs 9 times"):
        text.fit(["abc"], TextOptions(units="characters", fewest=9))
    with pytest.raises(DataError, match="has no units"):
        text.fit([" "], TextOptions(units="words"), spaces=False)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match="not a tokenizer"):
        text.fit(["abc"], TextOptions(tokenizer=tmp_path / "tokenizer.json"))


def test_a_given_tokenizer_is_used(tmp_path):
    learned = text.fit([PROSE], TextOptions(units="bytepair", vocabulary=300))
    (tmp_path / "tokenizer.json").write_text(learned.tokenizer)
    codec = text.fit(["other"], TextOptions(tokenizer=tmp_path / "tokenizer.json"))
    assert (codec.encode(PROSE) == learned.encode(PROSE)).all()


def test_a_given_tokenizer_neither_cuts_nor_fills(tmp_path):
    from tokenizers import Tokenizer

    learned = text.fit([PROSE], TextOptions(units="bytepair", vocabulary=300))
    limited = Tokenizer.from_str(learned.tokenizer)
    limited.enable_truncation(4)
    limited.enable_padding(length=500)
    limited.save(str(tmp_path / "tokenizer.json"))
    given = text.fit(["other"], TextOptions(tokenizer=tmp_path / "tokenizer.json"))
    for codec in (given, TextCodec.from_json(learned.to_json() | {"tokenizer": limited.to_str()})):
        assert codec.encode(PROSE).tolist() == learned.encode(PROSE).tolist()


def test_the_frequent_units_are_kept():
    codec = text.fit(["aaaa bbb cc d"], TextOptions(units="characters", vocabulary=3))
    assert set(codec.symbols[2:]) == {"a", "b", " "}


def test_tokens_on_disk_are_those_of_the_text():
    parts = [("abc", False), ("de", True), ("fab", True)]
    codec = text.fit(["abcdef"], TextOptions(units="characters"))
    found = tokens(parts, codec)
    assert codec.decode(found.take(0, 99)) == "abcdefab"
    assert (found.values == END).sum() == 2
    assert found.characters == 10
    assert length(parts) == 8
    assert list(cut(parts, 1, 4)) == [("bc", False), ("d", False)]
    assert list(cut(parts, 4, None)) == [("e", True), ("fab", True)]
    assert found.fingerprint != tokens([("abcde", True), ("fa", True)], codec).fingerprint
    with pytest.raises(DataError, match="the text is empty"):
        tokens([], codec)


def test_vectors_made_elsewhere_are_found(tmp_path):
    codec = text.fit(["the cat the cat"], TextOptions(units="words"))
    path = tmp_path / "v.txt"
    path.write_text("2 3\ncat 1 2 3\ndog 4 5 6\n")
    places, vectors = _vectors.load(path, codec)
    assert [codec.name(p) for p in places] == [" cat"]
    assert vectors.tolist() == [[1, 2, 3]]
    path.write_text("cat 1 2 3\nthe 4 5\n")
    with pytest.raises(DataError, match=r"v\.txt, line 2: got 2 numbers"):
        _vectors.load(path, codec)
    path.write_text("dog 1 2 3\n")
    with pytest.raises(DataError, match="has a vector for none"):
        _vectors.load(path, codec)


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        ('One. Two! "Three?" Four', ["One.", " Two!", ' "Three?"', " Four"]),
        ("It cost 3.50 in the U.S.A", ["It cost 3.50 in the U.S.A"]),
        ("cut . at spaces ... here", ["cut .", " at spaces ...", " here"]),
        ("雨だ。「傘は？」無い", ["雨だ。", "「傘は？」", "無い"]),
        ("\n\ntitle\n\nbody. \n", ["\n\ntitle\n\n", "body. \n"]),
        ("", []),
    ],
)
def test_sentences(whole, expected):
    assert sentences(whole) == expected
    assert "".join(expected) == whole


def test_vowel_signs_belong_to_their_word():
    assert words("हिन्दी में, مَرْحَبًا!", False, False) == ["हिन्दी", "में", ",", "مَرْحَبًا", "!"]
    assert words("ภาษา", False, False) == list("ภาษา")  # without spaces between words every sign is a unit


def test_marks_of_japanese_tell_that_it_is_cut_already():
    assert is_split("これ は 本 です 。 それ は 、 ペン です 。 " * 5)
    assert not is_split("これは本です。それは、ペンです。" * 5)


def test_vectors_that_are_no_numbers_name_their_line(tmp_path):
    codec = text.fit(["a b a b a b a b"], TextOptions(units="words"))
    (tmp_path / "v.txt").write_text("a 1 2\nb 1 nan\n")
    with pytest.raises(DataError, match=r"v.txt, line 2: not all numbers behind 'b' are finite"):
        _vectors.load(tmp_path / "v.txt", codec)
    (tmp_path / "v.txt").write_text("a\t1\t2\nb\t1\t3\n")
    assert {tuple(vector) for vector in _vectors.load(tmp_path / "v.txt", codec)[1].tolist()} == {(1, 2), (1, 3)}


def test_what_a_given_tokenizer_does_not_know_is_unknown(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    made = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(["the cat sat"], trainers.WordLevelTrainer(special_tokens=["[PAD]", "[UNK]"]))
    made.save(str(tmp_path / "tokenizer.json"))
    codec = text.fit(["other"], TextOptions(tokenizer=tmp_path / "tokenizer.json"))
    numbers = codec.encode("the zebra sat")
    assert [n == UNKNOWN for n in numbers] == [False, True, False]
    assert codec.unknown("the zebra sat, yes, zebra") == ["zebra", ",", "yes"]
    assert codec.decode(numbers) == "the sat"


def test_units_that_go_on_keep_the_blank_before_them(tmp_path):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.Unigram())
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=30, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False)
    made.train_from_iterator(["the cat sat on the mat " * 20], trainer)
    made.save(str(tmp_path / "tokenizer.json"))
    codec = text.fit(["other"], TextOptions(tokenizer=tmp_path / "tokenizer.json"))
    begun, more = codec.encode("the cat").tolist(), codec.encode("sat on").tolist()
    assert codec.decode(more) == "sat on"
    assert codec.going_on(begun, more) == " sat on"
    assert codec.going_on([], more) == "sat on"
    assert codec.encode("zzz").tolist().count(UNKNOWN) > 0


def test_a_character_of_several_units_is_written_whole_or_not_at_all():
    codec = text.fit(["abc abd " * 9], TextOptions(units="bytepair", vocabulary=260))
    given = "ab 日本c"
    numbers, pieces = codec.encode(given).tolist(), codec.pieces(given)
    assert len(numbers) > len(given)
    assert len(pieces) == len(numbers)
    assert "".join(pieces) == given
    end = pieces.index("日")
    for count in range(len(numbers) + 1):
        for begun in ([], codec.encode("x ").tolist()):
            said = codec.going_on(begun, numbers[:count])
            assert given.startswith(said)
            assert "\ufffd" not in said
    assert codec.going_on([], numbers[: end + 1]) == "ab "
