"""compare-jobs on made-up lists: what it calls missing, and what it excuses and why.

With the programs themselves, and with real masters, it is run by the tests with real masters.
"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "compare-jobs"
_loader = importlib.machinery.SourceFileLoader("compare_jobs", str(PROGRAM))
_spec = importlib.util.spec_from_loader("compare_jobs", _loader)
compare_jobs = importlib.util.module_from_spec(_spec)
_loader.exec_module(compare_jobs)


def jid(clock, day="20261125"):
    return day + clock.replace(":", "") + "000001"


def job(fun="test.ping", tgt="*", user="root"):
    """As `salt-run jobs.list_jobs` gives it."""
    return {
        "Function": fun,
        "Arguments": [],
        "Target": tgt,
        "Target-type": "glob",
        "User": user,
        "StartTime": "2026, Nov 25 12:00:00.000001",
    }


def run(jobs, started, fun="test.ping", **other):
    """As `salt-herald log --json` gives it; `started` is in UTC."""
    jids = jobs if isinstance(jobs, list) else [jobs]
    told = {
        "jid": jids[0],
        "jobs": jids,
        "kind": "command",
        "fun": [fun],
        "tgt": "*",
        "user": "root",
        "status": "succeeded",
        "flags": [],
        "started_at": "2026-11-25T%s.0004Z" % started,
    }
    return dict(told, **other)


def at(text):
    return compare_jobs.moment_of("2026-11-25T%sZ" % text)


def found(listed, runs, gaps=(), **options):
    lines = "".join(json.dumps(run) + "\n" for run in runs)
    listed = compare_jobs.jobs_of(json.dumps(listed))
    return compare_jobs.compare(listed, compare_jobs.runs_of(lines), gaps, **options)


class WhatIsMissing(unittest.TestCase):
    """Two jobs that both have, at eleven and at one, and one between them."""

    ELEVEN, NOON, ONE = jid("11:00:00"), jid("12:00:00"), jid("13:00:00")

    def listed(self, **more):
        return dict({self.ELEVEN: job(), self.ONE: job()}, **more)

    def runs(self, *more):
        return [run(self.ELEVEN, "11:00:00"), run(self.ONE, "13:00:00"), *more]

    def only_listed(self, middle, **options):
        """What is said of a job at noon that the master alone has."""
        (it,) = found(self.listed(**{self.NOON: middle}), self.runs(), **options)
        self.assertEqual((it.jid, it.only_in), (self.NOON, "master"))
        return it.missing, it.why

    def only_recorded(self, middle, listed=None, **options):
        (it,) = found(listed or self.listed(), self.runs(middle), **options)
        self.assertEqual((it.jid, it.only_in), (self.NOON, "journal"))
        return it.missing, it.why

    def test_the_same_jobs_are_no_difference(self):
        self.assertEqual(found(self.listed(), self.runs()), [])

    def test_the_gaps_between_runs_are_no_runs(self):
        lines = json.dumps({"gap": {"from": "2026-11-25T10:00:00Z", "reason": "not running"}}) + "\n"
        self.assertEqual(compare_jobs.runs_of(lines), [])

    def test_a_job_of_the_master_that_the_journal_lacks_is_missing(self):
        self.assertEqual(self.only_listed(job()), (True, "not in the journal"))
        self.assertEqual(self.only_listed(job(fun=["test.ping", "cmd.run"]))[0], True)

    def test_a_job_of_a_run_with_many_is_there(self):
        runs = [run([self.ELEVEN, self.NOON], "11:00:00"), run(self.ONE, "13:00:00")]
        self.assertEqual(found(self.listed(**{self.NOON: job()}), runs), [])

    def test_what_salt_asks_by_itself_is_excused(self):
        for fun in ("saltutil.find_job", "runner.jobs.list_jobs"):
            self.assertFalse(self.only_listed(job(fun=fun))[0], fun)
        self.assertTrue(self.only_listed(job(fun="runner.jobs.lookup_jid"))[0])

    def test_what_was_before_the_journal_is_excused_unless_asked_for(self):
        before = jid("09:00:00")
        listed = self.listed(**{before: job()})
        self.assertFalse(found(listed, self.runs())[0].missing)
        self.assertTrue(found(listed, self.runs(), since="2026112508")[0].missing)
        self.assertFalse(found(listed, self.runs(), since="2026112510")[0].missing)

    def test_an_empty_journal_excuses_nothing(self):
        self.assertEqual([it.missing for it in found(self.listed(), [])], [True, True])

    def test_a_gap_is_named_and_excuses_nothing(self):
        gap = (at("11:59:00"), at("12:01:00"), "not running")
        missing, why = self.only_listed(job(), gaps=[gap])
        self.assertTrue(missing)
        self.assertTrue(why.startswith("in a gap: not running, from 2026-11-25 "), why)
        elsewhere = (at("11:01:00"), at("11:59:00"), "not running")
        self.assertEqual(self.only_listed(job(), gaps=[elsewhere])[1], "not in the journal")

    def test_jids_in_local_time_are_understood(self):
        """Half past five ahead of UTC: what is noon there falls into a gap at 06:30."""
        runs = [run(self.ELEVEN, "05:30:00"), run(self.ONE, "07:30:00")]
        gap = (at("06:29:00"), at("06:31:00"), "master away")
        (it,) = found(self.listed(**{self.NOON: job()}), runs, [gap])
        self.assertIn("master away", it.why)

    def test_a_jid_that_is_no_time_is_compared_all_the_same(self):
        listed = self.listed(**{"2_of_mine": job()})
        self.assertEqual([(it.jid, it.missing) for it in found(listed, self.runs())], [("2_of_mine", True)])
        odd = run("2_of_mine", "12:00:00")
        self.assertEqual([it.missing for it in found(self.listed(), self.runs(odd))], [True])

    def test_a_job_of_the_journal_that_the_master_lacks_is_missing(self):
        noon = run(self.NOON, "12:00:00")
        self.assertEqual(self.only_recorded(noon), (True, "not in the master's job cache"))

    def test_what_no_cache_holds_is_excused(self):
        for options in (
            {"kind": "wheel"},
            {"kind": "orchestration", "status": "running"},
            {"kind": "runner"},  # no runner at all is in the list
            {"flags": ["forged"]},
            {"kind": "runner", "fun": ["jobs.list_jobs"]},
        ):
            noon = run(self.NOON, "12:00:00", **options)
            self.assertFalse(self.only_recorded(noon)[0], options)

    def test_a_runner_is_missing_where_others_are_kept(self):
        other = jid("12:30:00")
        listed = self.listed(**{other: job(fun="runner.manage.up")})
        runs = self.runs(run(other, "12:30:00", kind="runner"), run(self.NOON, "12:00:00", kind="runner"))
        self.assertEqual([(it.jid, it.missing) for it in found(listed, runs)], [(self.NOON, True)])

    def test_what_the_master_has_cleaned_away_is_excused(self):
        noon = run(self.NOON, "12:00:00")
        told = self.only_recorded(noon, asked=at("12:00:00") + compare_jobs.datetime.timedelta(hours=25))
        self.assertEqual(told, (False, "older than what the master keeps"))
        late = compare_jobs.datetime.timedelta(hours=1000)
        self.assertTrue(self.only_recorded(noon, asked=at("12:00:00") + late, keep=0)[0])
        early = run(jid("10:00:00"), "10:00:00")
        (it,) = found(self.listed(), self.runs(early))
        self.assertEqual((it.missing, it.why), (False, "older than all that the master still has"))

    def test_what_began_after_the_question_is_excused(self):
        noon = run(self.NOON, "12:00:00")
        self.assertFalse(self.only_recorded(noon, asked=at("11:59:59"))[0])
        self.assertTrue(self.only_recorded(noon, asked=at("12:00:30"))[0])


class TheCommand(unittest.TestCase):
    """Exit codes and texts, on files."""

    def said(self, listed, runs, *options):
        with tempfile.TemporaryDirectory() as folder:
            jobs, log = os.path.join(folder, "jobs"), os.path.join(folder, "log")
            pathlib.Path(jobs).write_text(listed)
            pathlib.Path(log).write_text(runs)
            out = io.TextIOWrapper(io.BytesIO())
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()) as err:
                code = compare_jobs.main(["--jobs", jobs, "--log", log, *options])
            return code, out.buffer.getvalue().decode(), err.getvalue()

    def test_it_names_what_is_missing(self):
        early, noon = jid("11:00:00"), jid("12:00:00")
        listed = "[WARNING ] something\n" + json.dumps({early: job(), noon: job(tgt=["a", "b\x1b[31m"])})
        code, out, _ = self.said(listed, json.dumps(run(early, "11:00:00")) + "\n")
        self.assertEqual(code, 1)
        self.assertEqual(
            out,
            "the master names 2 jobs, the journal 1, both 1\n\nonly the master has\n"
            "  ✗ 20261125120000000001  test.ping a,b\\x1b[31m by root: not in the journal\n\n"
            "1 job is missing.\n",
        )

    def test_it_says_that_nothing_is_missing(self):
        listed, runs = json.dumps({jid("11:00:00"): job()}), json.dumps(run(jid("11:00:00"), "11:00:00"))
        code, out, _ = self.said(listed, runs)
        self.assertEqual((code, out.splitlines()[-1]), (0, "nothing is missing."))

    def test_json_is_one_line_for_each_difference(self):
        code, out, _ = self.said(json.dumps({jid("11:00:00"): job()}), "", "--json")
        (it,) = map(json.loads, out.splitlines())
        self.assertEqual(code, 1)
        self.assertEqual((it["jid"], it["only_in"], it["missing"]), (jid("11:00:00"), "master", True))

    def test_what_is_no_list_is_no_comparison(self):
        for listed, runs in (("no", ""), ("{}", "no"), ('{"1": 2}', ""), ("{}", "{}")):
            code, out, err = self.said(listed, runs)
            self.assertEqual((code, out), (2, ""), (listed, runs))
            self.assertTrue(err.startswith("compare-jobs: "), err)

    def test_programs_that_fail_are_no_comparison(self):
        for program in ("false", "/nowhere/salt-run"):
            with contextlib.redirect_stderr(io.StringIO()) as err:
                self.assertEqual(compare_jobs.main(["--salt-run", program]), 2)
            self.assertIn(program, err.getvalue())


if __name__ == "__main__":
    unittest.main()
