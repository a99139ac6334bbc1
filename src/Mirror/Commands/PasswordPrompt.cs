using System.Text;

namespace Mirror.Commands;

/// <summary>Asks for a new password on the terminal, without showing it, and twice; where standard input is no terminal, its first line is the password.</summary>
internal static class PasswordPrompt
{
    /// <returns>Null where there is none, or the two differ; why has then been said.</returns>
    public static async Task<string?> FindAsync(TextWriter errors)
    {
        if (Console.IsInputRedirected)
        {
            if (await Console.In.ReadLineAsync() is { } line)
            {
                return line;
            }

            await errors.WriteLineAsync("mirror: standard input has no password: write it on one line");
            return null;
        }

        var password = await AskAsync("Password: ", errors);
        if (await AskAsync("Again: ", errors) == password)
        {
            return password;
        }

        await errors.WriteLineAsync("mirror: the two passwords are not the same");
        return null;
    }

    private static async Task<string> AskAsync(string question, TextWriter errors)
    {
        await errors.WriteAsync(question);
        var typed = new StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace)
            {
                typed.Length = Math.Max(0, typed.Length - 1);
            }
            else if (!char.IsControl(key.KeyChar))
            {
                typed.Append(key.KeyChar);
            }
        }

        await errors.WriteLineAsync();
        return typed.ToString();
    }
}
