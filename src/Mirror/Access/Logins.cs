using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Mirror.Access;

/// <summary>
/// Whether a name and password are a user's. A check costs much CPU time on purpose; so an answer holds for a while, the same question asked
/// many times at once is answered once, and so many are answered at a time as there are processors. One that was changed in the file counts at once.
/// </summary>
/// <param name="users">Those that there are.</param>
/// <param name="failed">Slows down who guesses.</param>
/// <param name="time">The clock.</param>
public sealed class Logins(UsersFile users, FailedLogins failed, TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<(IPAddress? Address, string Question), Lazy<Task<LoginAnswer>>> _running = new();
    private readonly RecentAnswers _right = new(time);
    private readonly RecentAnswers _wrong = new(time);
    private readonly SemaphoreSlim _processors = new(Environment.ProcessorCount);
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);

    /// <summary>Whether the password is the user's. A user that there is not takes as long as one that there is.</summary>
    /// <param name="address">Where the client is, whose guesses are slowed down; null to let them be.</param>
    /// <param name="name">The user's.</param>
    /// <param name="password">What the client says it is.</param>
    public async Task<LoginAnswer> CheckAsync(IPAddress? address, string name, string password)
    {
        var hashes = users.Current().Hashes;
        var isUser = hashes.TryGetValue(name, out var hash);
        hash ??= StandIn(hashes);

        // The hash is part of it: a password that was changed is another question.
        var question = Fingerprint(name, password, hash);
        if (_right.Has(question))
        {
            return new LoginAnswer.Right { WasKnown = true };
        }

        // It is no guess, but some machine that has not been told of a new password: nobody else at its address is to wait for that.
        if (_wrong.Has(question))
        {
            return new LoginAnswer.Wrong();
        }

        // Each address by itself: one has to wait where another has not.
        var running = _running.GetOrAdd((address, question), _ => new Lazy<Task<LoginAnswer>>(() => VerifyAsync(address, password, hash, isUser)));
        try
        {
            var answer = await running.Value;
            if (answer is not LoginAnswer.TooMany)
            {
                (answer is LoginAnswer.Right ? _right : _wrong).Add(question);
            }

            return answer;
        }
        finally
        {
            _running.TryRemove(KeyValuePair.Create((address, question), running));
        }
    }

    /// <summary>
    /// What marks a user as the one that it is now: another after the password was changed. From the mark, of which clients have what is
    /// signed, nobody finds the hash.
    /// </summary>
    /// <returns>Null where there is no such user.</returns>
    public string? FindMark(string name) => users.Current().Hashes.TryGetValue(name, out var hash)
        ? Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(hash), Encoding.UTF8.GetBytes($"mark of {name}")).AsSpan(0, 16))
        : null;

    public void Dispose() => _processors.Dispose();

    private async Task<LoginAnswer> VerifyAsync(IPAddress? address, string password, string hash, bool isUser)
    {
        if (await failed.EnterAsync(address) is { } retryAfter)
        {
            return new LoginAnswer.TooMany(retryAfter);
        }

        var isRight = false;
        await _processors.WaitAsync();
        try
        {
            isRight = await Task.Run(() => Bcrypt.Verify(password, hash)) && isUser;
            return isRight ? new LoginAnswer.Right() : new LoginAnswer.Wrong();
        }
        finally
        {
            _processors.Release();
            failed.Leave(address, wasWrong: !isRight);
        }
    }

    /// <summary>A hash that no password has, which costs what the users' cost.</summary>
    private static string StandIn(IReadOnlyDictionary<string, string> hashes)
    {
        var cost = hashes.Count > 0 ? hashes.Values.Max(Bcrypt.CostOf) : Bcrypt.MinCost;
        return $"$2y${cost:00}$......................................................";
    }

    /// <summary>What stands for a password in memory can not be turned back into it.</summary>
    private string Fingerprint(string name, string password, string hash) =>
        Convert.ToHexString(HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes($"{name.Length}:{name}{password.Length}:{password}{hash}")));
}
