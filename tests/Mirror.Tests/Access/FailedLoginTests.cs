using System.Net;
using Microsoft.Extensions.Logging;
using Mirror.Access;
using Mirror.Testing;

namespace Mirror.Tests.Access;

/// <summary>Guessing passwords is slow, and keeps nobody out who knows one.</summary>
public sealed class FailedLoginTests : IDisposable
{
    private static readonly IPAddress Guesser = IPAddress.Parse("192.0.2.1");

    private readonly TestUsers _users = new("alice", "bob");
    private readonly RecordedLog _log = new();
    private readonly ManualTime _time = new();
    private readonly Logins _logins;

    public FailedLoginTests() => _logins = new Logins(new UsersFile(_users.Path, _log.CreateLogger<UsersFile>()), new FailedLogins(_time), _time);

    public void Dispose()
    {
        _logins.Dispose();
        _log.Dispose();
        _users.Dispose();
    }

    [Fact]
    public async Task After_five_wrong_passwords_each_further_one_waits_and_who_is_too_many_is_told_when_to_come_back()
    {
        await GuessAsync(5);

        var waiting = Enumerable.Range(0, 40).Select(i => _logins.CheckAsync(Guesser, "alice", $"guess {i}")).ToList();
        await Task.WhenAny(waiting);
        var put = waiting.Where(guess => guess.IsCompletedSuccessfully).Select(guess => Assert.IsType<LoginAnswer.TooMany>(guess.Result)).ToList();

        // One guess in each half of a second, for ten seconds.
        Assert.Equal(40 - 20, put.Count);
        Assert.All(put, answer => Assert.InRange(answer.RetryAfter, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(11)));
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.All(await Task.WhenAll(waiting.Where(guess => !put.Contains(guess.IsCompletedSuccessfully ? guess.Result : null))), answer => Assert.IsType<LoginAnswer.Wrong>(answer));
    }

    [Fact]
    public async Task Many_guesses_at_once_are_slowed_down_before_the_first_is_known_to_be_wrong()
    {
        var guesses = Enumerable.Range(0, 100).Select(i => _logins.CheckAsync(Guesser, "alice", $"guess {i}")).ToList();
        await Task.WhenAll(guesses.Take(5));

        Assert.InRange(guesses.Count(guess => guess.IsCompletedSuccessfully && guess.Result is LoginAnswer.TooMany), 70, 90);
        _time.Advance(TimeSpan.FromSeconds(11));
        await Task.WhenAll(guesses);
    }

    [Fact]
    public async Task Who_was_right_lately_does_not_wait_and_neither_does_another_address()
    {
        Assert.IsType<LoginAnswer.Right>(await _logins.CheckAsync(Guesser, "alice", TestUsers.PasswordOf("alice")));
        await GuessAsync(5);

        Assert.True(Assert.IsType<LoginAnswer.Right>(await _logins.CheckAsync(Guesser, "alice", TestUsers.PasswordOf("alice"))).WasKnown);
        Assert.IsType<LoginAnswer.Right>(await _logins.CheckAsync(IPAddress.Parse("192.0.2.2"), "bob", TestUsers.PasswordOf("bob")));
    }

    [Fact]
    public async Task The_same_wrong_password_over_and_over_is_no_guessing_and_keeps_nobody_waiting()
    {
        for (var i = 0; i < 100; i++)
        {
            Assert.IsType<LoginAnswer.Wrong>(await _logins.CheckAsync(Guesser, "alice", "last year's"));
        }

        Assert.IsType<LoginAnswer.Right>(await _logins.CheckAsync(Guesser, "bob", TestUsers.PasswordOf("bob")));
    }

    [Fact]
    public async Task An_address_of_IPv6_is_slowed_down_with_its_whole_network()
    {
        for (var i = 0; i < 5; i++)
        {
            Assert.IsType<LoginAnswer.Wrong>(await _logins.CheckAsync(IPAddress.Parse($"2001:db8::{i + 1}"), "alice", $"guess {i}"));
        }

        var sixth = _logins.CheckAsync(IPAddress.Parse("2001:db8::ffff"), "alice", "guess");
        await _time.TimerArmed(TimeSpan.FromMilliseconds(500));
        Assert.False(sixth.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.IsType<LoginAnswer.Wrong>(await sixth);
    }

    [Fact]
    public async Task A_quarter_of_an_hour_later_all_is_forgotten()
    {
        await GuessAsync(5);
        _time.Advance(TimeSpan.FromMinutes(16));

        await GuessAsync(5);
    }

    [Fact]
    public async Task A_clock_that_is_set_back_keeps_nobody_waiting_for_longer()
    {
        await GuessAsync(5);
        var sixth = _logins.CheckAsync(Guesser, "alice", "wrong again");
        await _time.TimerArmed(TimeSpan.FromMilliseconds(500));
        _time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.IsType<LoginAnswer.Wrong>(await sixth);

        _time.SetClock(TimeSpan.FromDays(-1));
        var seventh = _logins.CheckAsync(Guesser, "alice", TestUsers.PasswordOf("alice"));
        await _time.TimerArmed(TimeSpan.FromMilliseconds(500));
        _time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.IsType<LoginAnswer.Right>(await seventh);
    }

    [Fact]
    public async Task Who_has_to_wait_at_one_address_is_not_kept_waiting_at_another()
    {
        await GuessAsync(5);
        var waiting = _logins.CheckAsync(Guesser, "alice", TestUsers.PasswordOf("alice"));
        await _time.TimerArmed(TimeSpan.FromMilliseconds(500));

        Assert.IsType<LoginAnswer.Right>(await _logins.CheckAsync(IPAddress.Parse("192.0.2.2"), "alice", TestUsers.PasswordOf("alice")));
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.IsType<LoginAnswer.Right>(await waiting);
    }

    private async Task GuessAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            Assert.IsType<LoginAnswer.Wrong>(await _logins.CheckAsync(Guesser, "alice", $"wrong {i}"));
        }
    }
}
